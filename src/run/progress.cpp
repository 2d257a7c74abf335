#include "run/progress.hpp"

#include <cmath>

namespace holdfast {

void Progress::begin(std::uint64_t total, bool estimated, Clock::time_point now) {
    *this = Progress(now);
    total_ = total;
    estimated_ = estimated;
}

void Progress::sample(Clock::time_point now) {
    const double seconds = std::chrono::duration<double>(now - lastSample_).count();
    if (seconds < 0.05) return;
    const double current = static_cast<double>(done_ - sampled_) / seconds;
    constexpr double memorySeconds = 5;
    const double weight = sampled_ == 0 ? 1 : 1 - std::exp(-seconds / memorySeconds);
    rate_ += weight * (current - rate_);
    sampled_ = done_;
    lastSample_ = now;
}

std::optional<std::chrono::microseconds> Progress::eta() const {
    if (total() <= done_ || rate_ < 1) return std::nullopt;
    const double seconds = static_cast<double>(total() - done_) / rate_;
    return std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
}

} // namespace holdfast
