#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast {

/// Spreads bytes evenly over time. Time comes in from outside, so that it can be tested.
class RateLimiter {
  public:
    using Clock = std::chrono::steady_clock;

    /// Bytes a second; 0 = no limit. May change at any time.
    void setRate(std::uint64_t rate) { rate_ = rate; }
    [[nodiscard]] std::uint64_t rate() const { return rate_; }

    /// How much of `wanted` to send in one go: about a tenth of a second's worth, so that a changed rate soon holds.
    [[nodiscard]] std::size_t portion(std::size_t wanted) const;

    /// Accounts for `bytes` that have just been sent and returns how long to wait before the next.
    std::chrono::microseconds sent(std::size_t bytes, Clock::time_point now);

  private:
    std::uint64_t rate_ = 0;
    Clock::time_point free_{}; ///< when all that was sent so far has had its time
};

} // namespace holdfast
