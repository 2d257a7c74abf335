#include "queue/shares.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

using holdfast::splitBandwidth;
using Rates = std::vector<std::uint64_t>;

TEST(Shares, NobodyRuns) { EXPECT_EQ(splitBandwidth(100, {}), Rates{}); }

TEST(Shares, EqualRunsShareEqually) { EXPECT_EQ(splitBandwidth(90, {0, 0, 0}), (Rates{30, 30, 30})); }

TEST(Shares, WhatALimitedRunLeavesGoesToTheOthers) {
    EXPECT_EQ(splitBandwidth(100, {10, 0, 0}), (Rates{10, 45, 45}));
    EXPECT_EQ(splitBandwidth(100, {0, 60, 20}), (Rates{40, 40, 20}));
}

TEST(Shares, WithoutATotalEveryoneHasTheirOwnLimit) { EXPECT_EQ(splitBandwidth(0, {0, 7}), (Rates{0, 7})); }

TEST(Shares, AShareIsNeverZeroSinceThatMeansUnlimited) { EXPECT_EQ(splitBandwidth(1, {0, 0}), (Rates{1, 1})); }

TEST(Shares, AreMaxMinFair) {
    std::mt19937_64 random(1); // NOLINT: the same numbers every time
    for (int round = 0; round < 2000; ++round) {
        Rates limits(1 + random() % 20);
        for (auto& limit : limits) limit = random() % 3 == 0 ? 0 : 1 + random() % 1000;
        const std::uint64_t total = limits.size() + random() % 10'000;
        const Rates shares = splitBandwidth(total, limits);

        const auto sum = std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
        ASSERT_LE(sum, total);
        const auto most = *std::max_element(shares.begin(), shares.end());
        bool allHaveTheirLimit = true;
        for (std::size_t i = 0; i < limits.size(); ++i) {
            ASSERT_LE(shares[i], limits[i] == 0 ? total : limits[i]);
            if (limits[i] != 0 && shares[i] == limits[i]) continue;
            allHaveTheirLimit = false;
            // Who gets less than it wants gets as much as anybody (but for the remainder of a division).
            ASSERT_GE(shares[i] + 1, most);
        }
        ASSERT_TRUE(allHaveTheirLimit || sum == total);
    }
}
