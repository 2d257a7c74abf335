#include "holdfastctl/alerts.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast::ctl {
namespace {

constexpr USec day = 86'400 * usecPerSec;
constexpr USec now = 20'000 * day;
using Words = std::vector<std::string>;

/// Daily, and well.
nlohmann::json job() {
    return {
        {"name", "nightly"},          {"enabled", true},       {"schedule", "daily"},       {"lastRunResult", "done"},
        {"lastSuccessAt", now - day}, {"schedulePeriod", day}, {"lastDrillResult", "done"}, {"lastDrillAt", now - day},
        {"lastProvenAt", now - day},  {"nextRunAt", now + day}};
}

TEST(Alerts, NoneForAJobThatIsWell) { EXPECT_EQ(alertsOf(job(), false, now), Words{}); }

TEST(Alerts, OverdueAfterTwoPeriodsWithoutSuccess) {
    auto late = job();
    late["lastSuccessAt"] = now - 2 * day;
    EXPECT_EQ(alertsOf(late, false, now), Words{});
    late["lastSuccessAt"] = now - 2 * day - 1;
    EXPECT_EQ(alertsOf(late, false, now), Words{"overdue"});
    EXPECT_EQ(alertsOf(late, true, now), Words{}) << "a run is under way";
    late["enabled"] = false;
    EXPECT_EQ(alertsOf(late, false, now), Words{}) << "nobody expects one";
    late["enabled"] = true;
    late["schedulePeriod"] = 0;
    EXPECT_EQ(alertsOf(late, false, now), Words{}) << "the timer has not elapsed yet";
}

TEST(Alerts, AMirrorThatWasLeftHalfChanged) {
    auto open = job();
    open["lastRunResult"] = "cancelled";
    EXPECT_EQ(alertsOf(open, false, now), Words{});
    open["mirrorOpen"] = true;
    EXPECT_EQ(alertsOf(open, false, now), Words{"mirror not whole"});
    EXPECT_EQ(alertsOf(open, true, now), Words{}) << "a run is mending it";
}

TEST(Alerts, FailuresOfTheLastRun) {
    for (const char* result : {"failed", "timeout", "interrupted"}) {
        auto failed = job();
        failed["lastRunResult"] = result;
        EXPECT_EQ(alertsOf(failed, false, now), Words{"last run failed"}) << result;
    }
    auto cancelled = job();
    cancelled["lastRunResult"] = "cancelled";
    EXPECT_EQ(alertsOf(cancelled, false, now), Words{});
}

TEST(Alerts, WhatTheLastBackupHasWarnedOf) {
    auto warned = job();
    warned["attention"] = {"source shrank", "cannot prune"};
    EXPECT_EQ(alertsOf(warned, true, now), (Words{"source shrank", "cannot prune"}));
}

TEST(Alerts, AScheduleWithoutATimer) {
    auto stuck = job();
    stuck["nextRunAt"] = 0;
    EXPECT_EQ(alertsOf(stuck, false, now), Words{"does not start by itself"});
    stuck["enabled"] = false;
    EXPECT_EQ(alertsOf(stuck, false, now), Words{});
    stuck["enabled"] = true;
    stuck["schedule"] = "";
    EXPECT_EQ(alertsOf(stuck, false, now), Words{});
}

TEST(Alerts, NoBackupYetIsSaidOfScheduledJobsOnly) {
    auto fresh = job();
    fresh["lastSuccessAt"] = 0;
    EXPECT_EQ(alertsOf(fresh, false, now), Words{"no backup yet"});
    fresh["schedule"] = "";
    EXPECT_EQ(alertsOf(fresh, false, now), Words{});
}

TEST(Alerts, AFailedDrillUntilALaterProof) {
    auto unproven = job();
    unproven["lastDrillResult"] = "failed";
    unproven["lastDrillAt"] = now;
    EXPECT_EQ(alertsOf(unproven, true, now), Words{"drill failed"});
    unproven["lastProvenAt"] = now;
    EXPECT_EQ(alertsOf(unproven, false, now), Words{});
}

} // namespace
} // namespace holdfast::ctl
