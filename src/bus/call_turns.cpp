#include "bus/call_turns.hpp"

#include <utility>

namespace holdfast {

namespace {

constexpr std::uint32_t rootUid = 0;

} // namespace

bool CallTurns::wait(std::uint32_t uid, WaitingCall call) {
    const auto found = lanes_.find(uid);
    if (uid != rootUid) {
        const std::size_t calls = found == lanes_.end() ? 0 : found->second.calls.size();
        const std::size_t bytes = found == lanes_.end() ? 0 : found->second.bytes;
        if (calls >= each_.calls || bytes + call.size > each_.bytes) return false;
        if (waiting_.calls >= all_.calls || waiting_.bytes + call.size > all_.bytes) return false;
        ++waiting_.calls;
        waiting_.bytes += call.size;
        if (found == lanes_.end()) order_.push_back(uid);
    }
    Lane& lane = lanes_[uid];
    lane.bytes += call.size;
    lane.calls.push_back(std::move(call));
    return true;
}

std::optional<CallTurns::Turn> CallTurns::next() {
    if (lanes_.empty()) return std::nullopt;
    const std::uint32_t uid = rootWaits() ? rootUid : order_.front();
    const auto lane = lanes_.find(uid);
    Turn turn{uid, std::move(lane->second.calls.front())};
    lane->second.calls.pop_front();
    lane->second.bytes -= turn.call.size;
    if (uid != rootUid) {
        --waiting_.calls;
        waiting_.bytes -= turn.call.size;
        order_.pop_front();
        if (!lane->second.calls.empty()) order_.push_back(uid);
    }
    if (lane->second.calls.empty()) lanes_.erase(lane);
    return turn;
}

void CallTurns::drop(const std::string& sender) {
    for (auto lane = lanes_.begin(); lane != lanes_.end();) {
        std::erase_if(lane->second.calls, [&](const WaitingCall& call) {
            if (call.sender != sender) return false;
            lane->second.bytes -= call.size;
            if (lane->first != rootUid) {
                --waiting_.calls;
                waiting_.bytes -= call.size;
            }
            return true;
        });
        if (!lane->second.calls.empty()) {
            ++lane;
            continue;
        }
        order_.remove(lane->first);
        lane = lanes_.erase(lane);
    }
}

} // namespace holdfast
