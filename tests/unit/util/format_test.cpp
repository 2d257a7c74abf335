#include "util/format.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>

#include <ctime>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

TEST(FormatBytes, countsSmallNumbers) {
    EXPECT_EQ(formatBytes(0), "0 B");
    EXPECT_EQ(formatBytes(1), "1 B");
    EXPECT_EQ(formatBytes(1023), "1023 B");
}

TEST(FormatBytes, keepsOneDecimalBelowAHundred) {
    EXPECT_EQ(formatBytes(kib), "1.0 KiB");
    EXPECT_EQ(formatBytes(gib + gib / 5), "1.2 GiB");
    EXPECT_EQ(formatBytes(23 * gib + gib / 2), "23.5 GiB");
    EXPECT_EQ(formatBytes(110 * mib), "110 MiB");
}

TEST(FormatBytes, neverRoundsUpToAThousandAndTwentyFour) {
    EXPECT_EQ(formatBytes(1023 * kib), "1023 KiB");
    EXPECT_EQ(formatBytes(mib - 1), "1.0 MiB");
    EXPECT_EQ(formatBytes(gib - 1), "1.0 GiB");
}

TEST(FormatBytes, neverShowsAHundredWithADecimal) { EXPECT_EQ(formatBytes(100 * mib - 1), "100 MiB"); }

TEST(FormatBytes, knowsTheLargestNumber) {
    EXPECT_EQ(formatBytes(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
}

TEST(FormatRate, isBytesASecond) {
    EXPECT_EQ(formatRate(110 * mib), "110 MiB/s");
    EXPECT_EQ(formatRate(0), "0 B/s");
}

TEST(FormatSpan, showsTheTwoLargestUnits) {
    EXPECT_EQ(formatSpan(200 * usecPerSec), "3min 20s");
    EXPECT_EQ(formatSpan(45 * usecPerSec), "45s");
    EXPECT_EQ(formatSpan(7'500 * usecPerSec), "2h 5min");
    EXPECT_EQ(formatSpan((3 * 86'400 + 4 * 3'600 + 59) * usecPerSec), "3d 4h");
}

TEST(FormatSpan, leavesOutWhatIsZero) {
    EXPECT_EQ(formatSpan(180 * usecPerSec), "3min");
    EXPECT_EQ(formatSpan(3'600 * usecPerSec + 59 * usecPerSec), "1h");
}

TEST(FormatSpan, showsPartsOfASecond) {
    EXPECT_EQ(formatSpan(0), "0s");
    EXPECT_EQ(formatSpan(1), "1ms");
    EXPECT_EQ(formatSpan(250'000), "250ms");
    EXPECT_EQ(formatSpan(usecPerSec - 1), "999ms");
}

TEST(FormatLocalTime, followsTheTimeZone) {
    ::setenv("TZ", "UTC-2", 1);
    ::tzset();
    EXPECT_EQ(formatLocalTime(1'795'436'100 * usecPerSec), "2026-11-23 14:15:00");
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    EXPECT_EQ(formatLocalTime(1'795'436'100 * usecPerSec), "2026-11-23 12:15:00");
    ::unsetenv("TZ");
    ::tzset();
}

TEST(FormatLocalTime, showsADashForNever) { EXPECT_EQ(formatLocalTime(0), "-"); }

TEST(FormatShortTime, hasTheYearOnlyWhereItIsAnother) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    const USec time = 1'795'436'100 * usecPerSec;
    EXPECT_EQ(formatShortTime(time, time + 86'400 * usecPerSec), "11-23 12:15");
    EXPECT_EQ(formatShortTime(time, time + 60 * 86'400 * usecPerSec), "2026-11-23");
    EXPECT_EQ(formatShortTime(0, time), "-");
    ::unsetenv("TZ");
    ::tzset();
}

TEST(FormatBar, fillsWithTheFraction) {
    EXPECT_EQ(formatBar(0, 12), "[>         ]");
    EXPECT_EQ(formatBar(0.5, 12), "[=====>    ]");
    EXPECT_EQ(formatBar(1, 12), "[==========]");
}

TEST(FormatBar, isFullOnlyAtTheEnd) { EXPECT_EQ(formatBar(0.9999, 12), "[=========>]"); }

TEST(FormatBar, holdsTheFractionToItsRange) {
    EXPECT_EQ(formatBar(-1, 5), "[>  ]");
    EXPECT_EQ(formatBar(7, 5), "[===]");
    EXPECT_EQ(formatBar(std::nan(""), 5), "[>  ]");
}

TEST(FormatBar, isLeftOutWhereThereIsNoRoom) {
    EXPECT_EQ(formatBar(0.5, 2), "");
    EXPECT_EQ(formatBar(0.5, 0), "");
}

} // namespace
} // namespace holdfast
