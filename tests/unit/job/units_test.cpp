#include "job/units.hpp"

#include "util/error.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace holdfast::test {

TEST(Units, Sizes) {
    EXPECT_EQ(parseSize("0"), 0U);
    EXPECT_EQ(parseSize("1"), 1U);
    EXPECT_EQ(parseSize("7B"), 7U);
    EXPECT_EQ(parseSize("1K"), 1024U);
    EXPECT_EQ(parseSize("512M"), 512ULL << 20);
    EXPECT_EQ(parseSize("1.5G"), 3ULL << 29);
    EXPECT_EQ(parseSize("0.25T"), 1ULL << 38);
    EXPECT_EQ(parseSize("1 G"), 1ULL << 30);
    EXPECT_EQ(parseSize("15E"), 15ULL << 60);
    EXPECT_EQ(parseSize("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
}

TEST(Units, WrongSizes) {
    for (const auto* text : {"",
                             " ",
                             "G",
                             "-1",
                             "+1",
                             "1g",
                             "1GB",
                             "1G1",
                             "1.",
                             ".5G",
                             "1.5.5G",
                             "0x10",
                             "50%",
                             "infinity",
                             "16E",
                             "15.99999999999999999999999999E",
                             "18446744073709551616",
                             "1\n",
                             "1,5G",
                             "1e3"}) {
        EXPECT_THROW(parseSize(text), Error) << text;
    }
    try {
        parseSize("50%");
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(),
                     "\"50%\" is not a size: write bytes, or a number with K, M, G or T such as 512M or 1.5G; "
                     "percentages are not accepted");
    }
}

TEST(Units, TimeSpans) {
    EXPECT_EQ(parseTimeSpan("90"), 90 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("0"), 0U);
    EXPECT_EQ(parseTimeSpan("12h"), 12 * 3600 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("1h 30min"), 5400 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("1h30min"), 5400 * usecPerSec);
    EXPECT_EQ(parseTimeSpan(" 1 h  30 "), 3630 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("1.5d"), 129600 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("2w"), 14 * 86400 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("5m"), 300 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("1M"), 2629800 * usecPerSec);
    EXPECT_EQ(parseTimeSpan("250ms 3us"), 250'003U);
    EXPECT_EQ(parseTimeSpan("3µs"), 3U);
    EXPECT_EQ(parseTimeSpan("1year 2days"), (31'557'600 + 2 * 86400) * usecPerSec);
}

TEST(Units, WrongTimeSpans) {
    for (const auto* text : {"", " ", "h", "-1h", "1 parsec", "1h-", "1.h", ".5h", "999999999999y", "1h\n", "infinity",
                             "18446744073709551615us 1us"}) {
        EXPECT_THROW(parseTimeSpan(text), Error) << text;
    }
}

TEST(Units, CpuQuotas) {
    EXPECT_EQ(parseCpuQuota("200%"), 2'000'000U);
    EXPECT_EQ(parseCpuQuota("12.5%"), 125'000U);
    EXPECT_EQ(parseCpuQuota("0.01%"), 100U);
    for (const auto* text : {"", "%", "200", "0%", "-5%", "200 %", "200%%", "1e3%", "99999999999999999999%", "1\n%"}) {
        EXPECT_THROW(parseCpuQuota(text), Error) << text;
    }
}

} // namespace holdfast::test
