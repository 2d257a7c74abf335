#include "bus/object_path.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(JobPath, EscapesWhatAPathMayNotHold) {
    EXPECT_EQ(jobPath("tank"), "/org/holdfast1/job/tank");
    EXPECT_EQ(jobPath("nightly-tank"), "/org/holdfast1/job/nightly_2dtank");
    EXPECT_EQ(jobPath("a_b"), "/org/holdfast1/job/a_5fb");
    EXPECT_EQ(jobPath("1st"), "/org/holdfast1/job/_31st");
}

TEST(JobPath, KeepsNamesApart) { EXPECT_NE(jobPath("a-b"), jobPath("a_2db")); }

TEST(RunPath, IsTheIdItself) {
    EXPECT_EQ(runPath("0123456789abcdef0123456789abcdef"), "/org/holdfast1/run/0123456789abcdef0123456789abcdef");
}

TEST(JobAt, IsTheOtherWayRound) {
    for (const char* name : {"tank", "a-b_c.1", "0", "_"}) EXPECT_EQ(jobAt(jobPath(name)), name);
}

TEST(JobAt, KnowsOneSpellingOnly) {
    EXPECT_EQ(jobAt("/org/holdfast1/job/_74ank"), std::nullopt); // "tank"
    EXPECT_EQ(jobAt("/org/holdfast1/job"), std::nullopt);
    EXPECT_EQ(jobAt("/org/holdfast1/job/tank/below"), std::nullopt);
    EXPECT_EQ(jobAt("/org/holdfast1/run/tank"), std::nullopt);
}

} // namespace
} // namespace holdfast
