#include "bus/call_turns.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr std::uint32_t alice = 1000;
constexpr std::uint32_t bob = 1001;
constexpr CallTurns::Limits plenty{100, 1000};

WaitingCall call(std::string sender, std::size_t size = 1) { return {std::move(sender), size, {}}; }

std::vector<std::string> turnsOf(CallTurns& turns) {
    std::vector<std::string> order;
    while (const auto turn = turns.next()) order.push_back(turn->call.sender);
    return order;
}

TEST(CallTurns, RootIsFirstAndUsersTakeTurns) {
    CallTurns turns(plenty, plenty);
    for (const char* sender : {"a1", "a2", "a3"}) ASSERT_TRUE(turns.wait(alice, call(sender)));
    for (const char* sender : {"b1", "b2"}) ASSERT_TRUE(turns.wait(bob, call(sender)));
    for (const char* sender : {"r1", "r2"}) ASSERT_TRUE(turns.wait(0, call(sender)));
    EXPECT_EQ(turnsOf(turns), (std::vector<std::string>{"r1", "r2", "a1", "b1", "a2", "b2", "a3"}));
    EXPECT_TRUE(turns.empty());
}

TEST(CallTurns, AUserOverTheLimitIsRefusedAlone) {
    CallTurns turns({2, 10}, plenty);
    EXPECT_TRUE(turns.wait(alice, call("a1")));
    EXPECT_FALSE(turns.wait(alice, call("a2", 10)));
    EXPECT_TRUE(turns.wait(alice, call("a2")));
    EXPECT_FALSE(turns.wait(alice, call("a3")));
    EXPECT_TRUE(turns.wait(bob, call("b1")));
    turns.next();
    EXPECT_TRUE(turns.wait(alice, call("a3")));
}

TEST(CallTurns, WhatAllUsersMayHaveDoesNotBindRoot) {
    CallTurns turns(plenty, {2, 10});
    EXPECT_TRUE(turns.wait(alice, call("a1")));
    EXPECT_TRUE(turns.wait(bob, call("b1")));
    EXPECT_FALSE(turns.wait(1002, call("c1")));
    EXPECT_TRUE(turns.wait(0, call("r1", 100)));
}

TEST(CallTurns, TheCallsOfOneWhoHasLeftAreDropped) {
    CallTurns turns({2, 10}, {2, 10});
    ASSERT_TRUE(turns.wait(alice, call("a1", 5)));
    ASSERT_TRUE(turns.wait(alice, call("a2", 5)));
    ASSERT_TRUE(turns.wait(0, call("r1")));
    turns.drop("a1");
    turns.drop("r1");
    EXPECT_FALSE(turns.rootWaits());
    EXPECT_TRUE(turns.wait(bob, call("b1", 5)));
    turns.drop("a2");
    EXPECT_EQ(turnsOf(turns), (std::vector<std::string>{"b1"}));
    EXPECT_TRUE(turns.wait(alice, call("a3", 10)));
}

} // namespace
} // namespace holdfast
