#include "queue/demand.hpp"

#include <algorithm>

namespace holdfast {

namespace {

using namespace std::chrono_literals;

/// Workers report twice a second: enough for two reports, late ones too.
constexpr auto window = 1200ms;
/// Reports that follow each other so soon say nothing of a rate.
constexpr auto soonest = 100ms;
/// Bytes go in portions of a tenth of a second, so a report may miss one.
constexpr double usesAll = 0.9;
/// Less than what usesAll takes for all, or a steady run would seem to want more.
constexpr double headroom = 1.15;

} // namespace

void Demand::uploading(Clock::time_point now, std::uint64_t bytesDone) {
    const bool anew = !uploading_ || (!samples_.empty() && bytesDone < samples_.back().bytes);
    if (anew) {
        samples_.clear();
        judgedFrom_ = now;
    }
    uploading_ = true;
    if (!samples_.empty() && now - samples_.back().at < soonest) return;
    samples_.push_back({now, bytesDone});
    // One older than the window stays, as the point that the window's bytes are counted from.
    while (samples_.size() > 2 && now - samples_[1].at >= window) samples_.pop_front();
}

void Demand::notUploading() {
    uploading_ = false;
    samples_.clear();
}

void Demand::shared(Clock::time_point now, std::uint64_t share) {
    if (static_cast<double>(share) * usesAll > static_cast<double>(share_)) judgedFrom_ = now;
    share_ = share;
}

std::optional<std::uint64_t> Demand::estimate(Clock::time_point now) const {
    if (!uploading_) return 0;
    if (now - judgedFrom_ < window) return std::nullopt;
    const double rate = rateOver(window, now);
    const double all = usesAll * static_cast<double>(share_);
    // One that wakes up shows first in its last report; at other times that says less than the whole window.
    const bool awoken = rate < all / 2 && lastRate(now) >= all;
    if (rate >= all || awoken) return std::nullopt;
    return static_cast<std::uint64_t>(rate * headroom);
}

/// A run that moves nothing reports nothing, so that silence counts as well.
double Demand::rateOver(Clock::duration time, Clock::time_point now) const {
    const auto first =
        std::find_if(samples_.begin(), samples_.end(), [&](const Sample& s) { return now - s.at < time; });
    const Sample& from = first == samples_.begin() ? *first : *std::prev(first);
    const Sample& last = samples_.back();
    const auto end = now - last.at < window / 2 ? last.at : now;
    const std::chrono::duration<double> span = end - from.at;
    return span.count() <= 0 ? 0 : static_cast<double>(last.bytes - from.bytes) / span.count();
}

double Demand::lastRate(Clock::time_point now) const {
    if (samples_.size() < 2 || now - samples_.back().at >= window / 2) return 0;
    const Sample& last = samples_.back();
    const Sample& before = samples_[samples_.size() - 2];
    const std::chrono::duration<double> span = last.at - before.at;
    return span.count() <= 0 ? 0 : static_cast<double>(last.bytes - before.bytes) / span.count();
}

} // namespace holdfast
