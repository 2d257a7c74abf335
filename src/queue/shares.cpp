#include "queue/shares.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace holdfast {

std::vector<std::uint64_t> splitBandwidth(std::uint64_t total, const std::vector<std::uint64_t>& limits) {
    if (total == 0) return limits;

    // Those that want least are served first; what they leave is shared by the rest.
    std::vector<std::size_t> order(limits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto wanted = [&](std::size_t run) { return limits[run] == 0 ? UINT64_MAX : limits[run]; };
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return wanted(a) < wanted(b); });

    std::vector<std::uint64_t> shares(limits.size());
    std::uint64_t left = total;
    for (std::size_t served = 0; served < order.size(); ++served) {
        const std::uint64_t fair = left / (order.size() - served);
        const std::uint64_t share = std::min(fair, wanted(order[served]));
        left -= share;
        shares[order[served]] = std::max<std::uint64_t>(share, 1); // 0 would be no limit at all
    }
    return shares;
}

namespace {

std::uint64_t cap(const BandwidthUse& use, std::uint64_t least) {
    if (!use.demand) return use.limit;
    const std::uint64_t wanted = std::max(*use.demand, least);
    return use.limit == 0 ? wanted : std::min(wanted, use.limit);
}

/// Gives what is left over to those whose own limit lets them have more.
void addRest(std::uint64_t rest, const std::vector<BandwidthUse>& uses, std::vector<std::uint64_t>& shares) {
    std::vector<std::size_t> takers;
    std::vector<std::uint64_t> room;
    for (std::size_t i = 0; i < uses.size(); ++i) {
        if (uses[i].limit != 0 && shares[i] >= uses[i].limit) continue;
        takers.push_back(i);
        room.push_back(uses[i].limit == 0 ? 0 : uses[i].limit - shares[i]);
    }
    if (rest < takers.size()) return;
    const auto more = splitBandwidth(rest, room);
    for (std::size_t i = 0; i < takers.size(); ++i) shares[takers[i]] += more[i];
}

} // namespace

std::vector<std::uint64_t> shareBandwidth(std::uint64_t total, const std::vector<BandwidthUse>& uses) {
    const std::uint64_t least = std::max<std::uint64_t>(total / 200, 1);
    std::vector<std::uint64_t> caps;
    std::vector<std::uint64_t> limits;
    for (const auto& use : uses) {
        caps.push_back(cap(use, least));
        limits.push_back(use.limit);
    }
    if (total == 0) return limits;
    auto shares = splitBandwidth(total, caps);
    const auto given = std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
    if (given < total) addRest(total - given, uses, shares);
    return shares;
}

} // namespace holdfast
