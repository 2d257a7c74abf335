#include "queue/dispatcher_impl.hpp"
#include "queue/shares.hpp"
#include "util/log.hpp"

#include <exception>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr auto balanceInterval = std::chrono::milliseconds(250);
/// A share that differs by less than this part of it is not worth a file.
constexpr std::uint64_t clearPart = 100;

} // namespace

void Dispatcher::Impl::shareOut(Change change) {
    std::vector<std::string> ids;
    std::vector<BandwidthUse> uses;
    for (const auto& [id, live] : lives) {
        if (live.ended || live.waiting) continue;
        ids.push_back(id);
        uses.push_back({runs.at(id).plan.job.limits.bandwidth.value_or(0), live.demand.estimate(Clock::now())});
    }
    const auto shares = shareBandwidth(settings.maxTotalBandwidth, uses);
    for (std::size_t i = 0; i < ids.size(); ++i) setShare(ids[i], shares[i], change);
    if (ids.size() > 1 && settings.maxTotalBandwidth > 0) balance();
}

void Dispatcher::Impl::setShare(const std::string& id, std::uint64_t share, Change change) {
    Live& live = lives.at(id);
    const std::uint64_t difference = share > live.share ? share - live.share : live.share - share;
    if (difference <= (change == Change::Clear ? live.share / clearPart : 0)) return;
    live.share = share;
    live.demand.shared(Clock::now(), share);
    if (!live.hasFolder) return;
    try {
        files.writeLimits(id, share);
    } catch (const std::exception& e) {
        if (std::exchange(live.unwrittenShareLogged, true)) return;
        logWarning(fmt::format("Run {} keeps its old share of the bandwidth: {}", id, e.what()));
    }
}

void Dispatcher::Impl::noteDemand(const std::string& id) {
    Live& live = lives.at(id);
    const RunState& state = runs.at(id).state;
    const bool before = live.demand.isUploading();
    if (state.phase == "uploading")
        live.demand.uploading(Clock::now(), state.bytesDone);
    else
        live.demand.notUploading();
    if (live.demand.isUploading() != before) shareOut();
}

void Dispatcher::Impl::balance() {
    if (std::exchange(balancing, true)) return;
    balanceTimer.expires_after(balanceInterval);
    balanceTimer.async_wait([weak = weak_from_this()](const auto& error) {
        const auto self = weak.lock();
        if (error || !self) return;
        self->balancing = false;
        self->shareOut(Change::Clear);
    });
}

} // namespace holdfast
