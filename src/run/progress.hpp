#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace holdfast {

/// Counts the bytes of one attempt and tells how fast they move. Time comes in from outside, so that it can be tested.
class Progress {
  public:
    using Clock = std::chrono::steady_clock;

    explicit Progress(Clock::time_point now) : lastMove_(now), lastSample_(now) {}

    /// Starts an attempt from nothing.
    void begin(std::uint64_t total, bool estimated, Clock::time_point now);
    void add(std::uint64_t bytes, Clock::time_point now) {
        done_ += bytes;
        lastMove_ = now;
    }
    /// For a program that counts itself: what it has done so far, and the total that it now knows.
    void count(std::uint64_t done, std::uint64_t total, bool estimated, Clock::time_point now) {
        done_ = std::max(done_, done);
        total_ = total;
        estimated_ = estimated;
        lastMove_ = now;
    }
    /// All has been read: the total is what came, and no estimate any more.
    void finish() {
        total_ = done_;
        estimated_ = false;
    }
    /// Takes a sample for the rate; to be called a few times a second.
    void sample(Clock::time_point now);

    [[nodiscard]] std::uint64_t done() const { return done_; }
    /// 0 = unknown. An estimate that has been passed is no longer a total.
    [[nodiscard]] std::uint64_t total() const { return estimated_ && done_ > total_ ? 0 : total_; }
    [[nodiscard]] bool estimated() const { return estimated_ && total() > 0; }
    /// Bytes a second, smoothed over about five seconds.
    [[nodiscard]] std::uint64_t rate() const { return static_cast<std::uint64_t>(rate_); }
    [[nodiscard]] std::optional<std::chrono::microseconds> eta() const;
    /// How long no byte has moved.
    [[nodiscard]] std::chrono::microseconds idle(Clock::time_point now) const {
        return std::chrono::duration_cast<std::chrono::microseconds>(now - lastMove_);
    }

  private:
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
    bool estimated_ = false;
    double rate_ = 0;
    std::uint64_t sampled_ = 0;
    Clock::time_point lastMove_;
    Clock::time_point lastSample_;
};

} // namespace holdfast
