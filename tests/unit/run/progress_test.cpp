#include "run/progress.hpp"

#include "run/state.hpp"
#include "util/error.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

const Progress::Clock::time_point start{};

TEST(Progress, measuresTheRateAndTheTimeThatIsLeft) {
    Progress progress(start);
    progress.begin(1000, false, start);
    for (int i = 1; i <= 10; ++i) {
        progress.add(50, start + i * 1s);
        progress.sample(start + i * 1s);
    }
    EXPECT_NEAR(static_cast<double>(progress.rate()), 50, 1);
    ASSERT_TRUE(progress.eta());
    EXPECT_NEAR(static_cast<double>(progress.eta()->count()), 10e6, 0.5e6);
}

TEST(Progress, anEstimateThatWasPassedIsNoTotalAnyMore) {
    Progress progress(start);
    progress.begin(100, true, start);
    progress.add(60, start);
    EXPECT_EQ(progress.total(), 100U);
    EXPECT_TRUE(progress.estimated());
    progress.add(60, start);
    EXPECT_EQ(progress.total(), 0U);
    EXPECT_FALSE(progress.eta());
    progress.finish();
    EXPECT_EQ(progress.total(), 120U);
    EXPECT_FALSE(progress.estimated());
}

TEST(Progress, knowsHowLongNothingMoved) {
    Progress progress(start);
    progress.begin(0, false, start);
    progress.add(1, start + 2s);
    EXPECT_EQ(progress.idle(start + 7s), 5s);
}

TEST(Progress, anAttemptBeginsFromNothing) {
    Progress progress(start);
    progress.begin(10, false, start);
    progress.add(7, start);
    progress.begin(10, false, start + 1s);
    EXPECT_EQ(progress.done(), 0U);
}

TEST(RunState, statusLineReadsLikeASentence) {
    RunState state;
    state.phase = "uploading";
    state.bytesDone = 1'288'490'189;
    state.bytesTotal = 3'328'599'655;
    state.bytesTotalEstimated = true;
    state.rate = 110ULL * 1024 * 1024;
    state.attempt = 1;
    EXPECT_EQ(statusLine(state, 3), "uploading 1.2 GiB of ~3.1 GiB at 110 MiB/s, attempt 1/3");
    state.stalled = true;
    EXPECT_EQ(statusLine(state, 3), "uploading 1.2 GiB of ~3.1 GiB, stalled, attempt 1/3");
    EXPECT_EQ(statusLine({.phase = "preprocessing"}, 3), "preprocessing");
    EXPECT_EQ(statusLine({.phase = "cleaning", .error = "sh: hunter2: not found"}, 3),
              "cleaning"); // everybody reads it
}

TEST(RunState, comesBackAsItWasWritten) {
    RunState state;
    state.phase = "uploading";
    state.bytesDone = 1;
    state.error = "x \"y\"";
    state.metadata["gitCommitHash"] = "abc";
    const auto read = runStateFromJson(nlohmann::json::parse(toJson(state).dump()));
    EXPECT_EQ(toJson(read), toJson(state));
    EXPECT_THROW(runStateFromJson(nlohmann::json::array()), Error);
    EXPECT_THROW(runStateFromJson({{"state", 3}}), Error);
}

} // namespace
} // namespace holdfast
