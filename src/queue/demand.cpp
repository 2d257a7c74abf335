#include "queue/demand.hpp"

#include <algorithm>

namespace holdfast {

namespace {

using namespace std::chrono_literals;

constexpr auto reportInterval = 500ms;
/// Enough for two reports, late ones too: a run that has stopped is soon seen to have.
constexpr auto window = 1200ms;
/// A report that comes late makes a run look slower than it is. What would take only a part of its share from a run
/// is told from a time that is long enough for that not to matter.
constexpr auto longWindow = 4s;
/// Reports that follow each other so soon say nothing of a rate.
constexpr auto soonest = 100ms;
/// Bytes go in portions of a tenth of a second, so a report may miss one.
constexpr double usesAll = 0.9;
/// Two reports have not come.
constexpr auto silence = 1100ms;

/// Less than what usesAll takes for all, or a steady run would seem to want more.
std::uint64_t withHeadroom(double rate) { return static_cast<std::uint64_t>(rate * 1.15); }

} // namespace

void Demand::uploading(Clock::time_point now, std::uint64_t bytesDone) {
    const bool anew = !uploading_ || (!samples_.empty() && bytesDone < samples_.back().bytes);
    if (anew) {
        samples_.clear();
        changedAt_ = now;
        grown_ = true;
    }
    uploading_ = true;
    if (!samples_.empty()) {
        const Sample last = samples_.back();
        if (now - last.at < soonest) return;
        // Nothing moved as long as nothing was reported, so that all of it has moved since the last report was due.
        if (now - last.at > 2 * reportInterval) samples_.push_back({now - reportInterval, last.bytes});
    }
    samples_.push_back({now, bytesDone});
    // One older than the window stays, as the point that the window's bytes are counted from.
    while (samples_.size() > 2 && now - samples_[1].at >= longWindow) samples_.pop_front();
}

void Demand::notUploading() {
    uploading_ = false;
    samples_.clear();
}

void Demand::shared(Clock::time_point now, std::uint64_t share) {
    const auto before = static_cast<double>(share_);
    const auto after = static_cast<double>(share);
    if (after * usesAll > before || after < before * usesAll) {
        changedAt_ = now;
        grown_ = share > share_;
    }
    share_ = share;
}

std::optional<std::uint64_t> Demand::estimate(Clock::time_point now) const {
    if (!uploading_ || now - samples_.back().at > silence) return 0;
    // As long as it is not known what the run makes of its share, it keeps that.
    const auto asItIs = grown_ ? std::nullopt : std::optional(share_);
    if (now - changedAt_ < window) return asItIs;

    const double all = usesAll * static_cast<double>(share_);
    const double recent = rateSince(now - window, now);
    const double lasting = rateSince(std::max(now - longWindow, changedAt_), now);
    const bool awoken = recent < all / 2 ? lastRate(now) >= all / 2 : lasting < all / 2;
    if (awoken) return std::nullopt;
    if (recent < all / 2) return withHeadroom(recent);
    if (now - changedAt_ < longWindow) return asItIs;
    if (lasting >= all) return std::nullopt;
    return withHeadroom(lasting);
}

/// A run that moves nothing reports nothing, so that silence counts as well.
double Demand::rateSince(Clock::time_point since, Clock::time_point now) const {
    const auto first = std::find_if(samples_.begin(), samples_.end(), [&](const Sample& s) { return s.at > since; });
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
