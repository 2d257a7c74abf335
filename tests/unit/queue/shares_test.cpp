#include "queue/shares.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

using holdfast::BandwidthUse;
using holdfast::shareBandwidth;
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

namespace {

BandwidthUse hungry(std::uint64_t limit = 0) { return {limit, std::nullopt}; }
BandwidthUse uses(std::uint64_t demand, std::uint64_t limit = 0) { return {limit, demand}; }

} // namespace

TEST(SharesByDemand, WhatAnIdleRunLeavesGoesToTheOthers) {
    EXPECT_EQ(shareBandwidth(1000, {hungry(), hungry()}), (Rates{500, 500}));
    EXPECT_EQ(shareBandwidth(1000, {hungry(), uses(0)}), (Rates{995, 5}));
    EXPECT_EQ(shareBandwidth(1000, {hungry(), uses(200), uses(0)}), (Rates{795, 200, 5}));
    EXPECT_EQ(shareBandwidth(1000, {hungry(), uses(900)}), (Rates{500, 500}));
}

TEST(SharesByDemand, OwnLimitsHold) {
    EXPECT_EQ(shareBandwidth(1000, {hungry(100), uses(0, 3)}), (Rates{100, 3}));
    EXPECT_EQ(shareBandwidth(1000, {hungry(100), uses(0)}), (Rates{100, 900}));
    EXPECT_EQ(shareBandwidth(0, {hungry(100), uses(0, 7), uses(0)}), (Rates{100, 7, 0}));
}

TEST(SharesByDemand, WhatNobodyHasUseForIsSharedByAll) {
    EXPECT_EQ(shareBandwidth(1000, {uses(0), uses(0)}), (Rates{500, 500}));
    EXPECT_EQ(shareBandwidth(1000, {uses(100), uses(300)}), (Rates{400, 600}));
    EXPECT_EQ(shareBandwidth(1000, {uses(100), uses(300, 350)}), (Rates{650, 350}));
}

TEST(SharesByDemand, TheSumIsAtMostTheTotal) {
    std::mt19937_64 random(2); // NOLINT: the same numbers every time
    for (int round = 0; round < 2000; ++round) {
        std::vector<BandwidthUse> runs(1 + random() % 10);
        for (auto& run : runs) {
            if (random() % 3 == 0) run.limit = 1 + random() % 1000;
            if (random() % 2 == 0) run.demand = random() % 1000;
        }
        const std::uint64_t total = 10 + random() % 10'000;
        const Rates shares = shareBandwidth(total, runs);
        ASSERT_LE(std::accumulate(shares.begin(), shares.end(), std::uint64_t{0}), total);
        for (std::size_t i = 0; i < runs.size(); ++i) {
            ASSERT_GT(shares[i], 0U);
            if (runs[i].limit != 0) {
                ASSERT_LE(shares[i], runs[i].limit);
            }
        }
    }
}
