#include "queue/admission.hpp"

#include "queue/errors.hpp"

#include <gtest/gtest.h>

using namespace holdfast;
using Ids = std::vector<std::string>;

namespace {

Admission withLimits(std::uint32_t streaming, std::uint32_t copies, std::uint32_t waiting = 1000) {
    Admission admission;
    admission.setLimits({.streaming = streaming, .copies = copies, .waiting = waiting});
    return admission;
}

std::string blockedOn(const Admission& admission, const std::string& id) {
    for (const auto& [waiting, words] : admission.blockedOn()) {
        if (waiting == id) return words;
    }
    return "not waiting";
}

} // namespace

TEST(Admission, FirstComeFirstServed) {
    Admission admission = withLimits(2, 2);
    for (const char* id : {"a", "b", "c", "d"}) admission.wait(id, std::string("job-") + id, true);
    EXPECT_EQ(admission.admit(), (Ids{"a", "b"}));
    EXPECT_EQ(admission.admit(), Ids{});
    EXPECT_EQ(admission.active(), 2U);
    EXPECT_EQ(admission.waiting(), 2U);
    admission.leave("b");
    EXPECT_EQ(admission.admit(), Ids{"c"});
    EXPECT_EQ(admission.firstWaiting([](const auto&) { return true; }), "d");
    EXPECT_EQ(admission.firstWaiting([](const auto& id) { return id != "d"; }), std::nullopt);
}

TEST(Admission, KindsDoNotBlockEachOther) {
    Admission admission = withLimits(1, 1);
    admission.wait("s1", "s1", true);
    admission.wait("s2", "s2", true);
    admission.wait("c1", "c1", false);
    EXPECT_EQ(admission.admit(), (Ids{"s1", "c1"}));
}

TEST(Admission, OneRunAJobAtATime) {
    Admission admission = withLimits(3, 3);
    admission.wait("1", "job", true);
    EXPECT_EQ(admission.admit(), Ids{"1"});
    admission.wait("2", "job", true);
    admission.wait("3", "other", true);
    EXPECT_EQ(admission.admit(), Ids{"3"});
    EXPECT_EQ(blockedOn(admission, "2"), "1st in the queue; waiting for the run of the same job to finish");
    admission.leave("1");
    EXPECT_EQ(admission.admit(), Ids{"2"});
}

TEST(Admission, ACleanedUpRunKeepsItsJobButNotItsSlot) {
    Admission admission = withLimits(1, 1);
    admission.wait("1", "job", true);
    admission.admit();
    admission.wait("2", "job", true);
    admission.wait("3", "other", true);
    admission.giveBackSlot("1");
    EXPECT_EQ(admission.admit(), Ids{"3"});
}

TEST(Admission, OneMoreRunOfAJobMayWait) {
    Admission admission = withLimits(1, 1);
    admission.checkRoom("job", Admission::Room::Root);
    admission.wait("1", "job", true);
    EXPECT_THROW(admission.checkRoom("job", Admission::Room::Root), AlreadyQueued);
    admission.admit();
    EXPECT_NO_THROW(admission.checkRoom("job", Admission::Room::Root));
}

TEST(Admission, TheQueueIsBounded) {
    Admission admission = withLimits(0, 0, 2);
    admission.wait("1", "a", true);
    EXPECT_NO_THROW(admission.checkRoom("b", Admission::Room::Root));
    admission.wait("2", "b", false);
    EXPECT_THROW(admission.checkRoom("c", Admission::Room::Root), QueueFull);
    admission.leave("1");
    EXPECT_NO_THROW(admission.checkRoom("c", Admission::Room::Root));
}

TEST(Admission, AQuarterOfTheQueueIsKeptForRoot) {
    Admission admission = withLimits(0, 0, 4);
    for (const char* id : {"a", "b", "c"}) admission.wait(id, id, true);
    EXPECT_THROW(admission.checkRoom("d", Admission::Room::Others), QueueFull);
    EXPECT_NO_THROW(admission.checkRoom("d", Admission::Room::Root));
}

TEST(Admission, AdoptedRunsHoldSlotsEvenBeyondTheLimit) {
    Admission admission = withLimits(1, 1);
    admission.adopt("1", "a", true);
    admission.adopt("2", "b", true);
    admission.wait("3", "c", true);
    EXPECT_EQ(admission.admit(), Ids{});
    EXPECT_EQ(blockedOn(admission, "3"), "1st in the queue; waiting for a free stream slot (2 of 1 in use)");
    admission.leave("1");
    EXPECT_EQ(admission.admit(), Ids{});
    admission.leave("2");
    EXPECT_EQ(admission.admit(), Ids{"3"});
}

TEST(Admission, RaisedLimitsHoldAtOnce) {
    Admission admission = withLimits(0, 0);
    admission.wait("1", "a", false);
    EXPECT_EQ(admission.admit(), Ids{});
    EXPECT_EQ(blockedOn(admission, "1"), "1st in the queue; waiting for a free copy slot (0 of 0 in use)");
    admission.setLimits({.streaming = 0, .copies = 1, .waiting = 1});
    EXPECT_EQ(admission.admit(), Ids{"1"});
}

TEST(Admission, SaysThePlaceNearTheFrontOnly) {
    Admission admission = withLimits(0, 0);
    for (int i = 1; i <= 23; ++i) admission.wait(std::to_string(i), "job" + std::to_string(i), true);
    EXPECT_TRUE(blockedOn(admission, "1").starts_with("1st in the queue; "));
    EXPECT_TRUE(blockedOn(admission, "2").starts_with("2nd in the queue; "));
    EXPECT_TRUE(blockedOn(admission, "3").starts_with("3rd in the queue; "));
    EXPECT_TRUE(blockedOn(admission, "11").starts_with("11th in the queue; "));
    EXPECT_TRUE(blockedOn(admission, "20").starts_with("20th in the queue; "));
    EXPECT_TRUE(blockedOn(admission, "21").starts_with("at least 20 others ahead in the queue; "))
        << blockedOn(admission, "21");
}
