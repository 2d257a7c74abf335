#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace holdfast {

/// How much of the bandwidth a run makes use of, told from how its bytes have grown of late. Time comes in from
/// outside, so that it can be tested.
class Demand {
  public:
    using Clock = std::chrono::steady_clock;

    /// A state.json of the run has come in.
    void uploading(Clock::time_point now, std::uint64_t bytesDone);
    void notUploading();
    /// The run may use that much from now on.
    void shared(Clock::time_point now, std::uint64_t share);

    [[nodiscard]] bool isUploading() const { return uploading_; }
    /// Bytes a second that it would use, with room to grow; nothing: as much as it gets, or it is not known yet.
    [[nodiscard]] std::optional<std::uint64_t> estimate(Clock::time_point now) const;

  private:
    struct Sample {
        Clock::time_point at;
        std::uint64_t bytes = 0;
    };

    [[nodiscard]] double rateSince(Clock::time_point since, Clock::time_point now) const;
    [[nodiscard]] double lastRate(Clock::time_point now) const;

    bool uploading_ = false;
    std::deque<Sample> samples_;
    std::uint64_t share_ = 0;
    Clock::time_point changedAt_{}; ///< what moved before says nothing of the present share
    bool grown_ = true;             ///< then
};

} // namespace holdfast
