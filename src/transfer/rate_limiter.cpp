#include "transfer/rate_limiter.hpp"

#include <algorithm>

namespace holdfast {

std::size_t RateLimiter::portion(std::size_t wanted) const {
    if (rate_ == 0) return wanted;
    return std::min<std::size_t>(wanted, std::max<std::uint64_t>(rate_ / 10, 1024));
}

std::chrono::microseconds RateLimiter::sent(std::size_t bytes, Clock::time_point now) {
    if (rate_ == 0) return std::chrono::microseconds(0);
    const std::chrono::duration<double> cost(static_cast<double>(bytes) / static_cast<double>(rate_));
    // Time that went by unused is not saved up.
    free_ = std::max(free_, now) + std::chrono::duration_cast<Clock::duration>(cost);
    return std::chrono::duration_cast<std::chrono::microseconds>(free_ - now);
}

} // namespace holdfast
