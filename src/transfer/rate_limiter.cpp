#include "transfer/rate_limiter.hpp"

#include <algorithm>

namespace holdfast {

namespace {

/// Time that went by unused counts for so long: timers wake late, and a limit shall be reached as well as kept.
constexpr auto savedUp = std::chrono::milliseconds(100);

} // namespace

std::size_t RateLimiter::portion(std::size_t wanted) const {
    if (rate_ == 0) return wanted;
    return std::min<std::size_t>(wanted, std::max<std::uint64_t>(rate_ / 10, 1024));
}

std::chrono::microseconds RateLimiter::sent(std::size_t bytes, Clock::time_point now) {
    if (rate_ == 0) return std::chrono::microseconds(0);
    const std::chrono::duration<double> cost(static_cast<double>(bytes) / static_cast<double>(rate_));
    free_ = std::max(free_, now - savedUp) + std::chrono::duration_cast<Clock::duration>(cost);
    return std::chrono::duration_cast<std::chrono::microseconds>(std::max(free_ - now, Clock::duration(0)));
}

} // namespace holdfast
