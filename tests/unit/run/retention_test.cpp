#include "run/retention.hpp"

#include <algorithm>
#include <ctime>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

/// "2026-11-20 03:00" in UTC.
USec at(const std::string& time) {
    std::tm parts{};
    EXPECT_NE(::strptime(time.c_str(), "%Y-%m-%d %H:%M", &parts), nullptr) << time;
    return static_cast<USec>(::timegm(&parts)) * usecPerSec;
}

/// A backup of the run `run`, full or upon `base`.
Version version(const std::string& run, const std::string& time, const std::string& base = "") {
    Version v{.name = "nightly-" + utcStamp(at(time)) + "-" + run, .run = run, .startedAt = at(time), .base = base};
    v.mayBeBase = true;
    return v;
}

Version leftAlone(Version v, const std::string& why) {
    v.leftAlone = why;
    return v;
}

struct Result {
    std::vector<Version> versions;
    std::vector<Verdict> verdicts;

    [[nodiscard]] std::string why(const std::string& run) const {
        const auto found =
            std::find_if(versions.begin(), versions.end(), [&](const Version& v) { return v.run == run; });
        return verdicts.at(static_cast<std::size_t>(found - versions.begin())).why;
    }
    /// Runs of those that stay, newest first.
    [[nodiscard]] std::string staying() const {
        std::string runs;
        for (std::size_t i = 0; i < versions.size(); ++i) {
            if (verdicts[i].stays) runs += (runs.empty() ? "" : " ") + versions[i].run;
        }
        return runs;
    }
};

Result judged(const Keep& keep, std::vector<Version> versions, const std::vector<std::string>& proven = {}) {
    std::stable_sort(versions.begin(), versions.end(),
                     [](const Version& a, const Version& b) { return a.startedAt > b.startedAt; });
    auto verdicts = judge(keep, versions, proven);
    EXPECT_EQ(verdicts.size(), versions.size());
    return {std::move(versions), std::move(verdicts)};
}

Keep last(std::uint32_t count) {
    Keep keep;
    keep.last = count;
    return keep;
}

TEST(Retention, ofNothingIsNothing) { EXPECT_EQ(judged(last(1), {}).staying(), ""); }

TEST(Retention, lastKeepsTheNewest) {
    const auto result = judged(last(2), {version("a", "2026-11-18 03:00"), version("c", "2026-11-20 03:00"),
                                         version("b", "2026-11-19 03:00")});
    EXPECT_EQ(result.staying(), "c b");
    EXPECT_EQ(result.why("c"), "newest, one of the last 2");
    EXPECT_EQ(result.why("b"), "one of the last 2");
    EXPECT_EQ(result.why("a"), "no rule keeps it");
}

TEST(Retention, newestStaysWhateverTheRulesSay) {
    EXPECT_EQ(judged(Keep{}, {version("a", "2020-01-01 00:00"), version("b", "2020-01-02 00:00")}).staying(), "b");
}

TEST(Retention, dailyKeepsTheNewestOfEachDayThatHasOne) {
    Keep keep;
    keep.daily = 2;
    const auto result = judged(keep, {version("a", "2026-11-20 23:59"), version("b", "2026-11-20 00:00"),
                                      version("c", "2026-11-10 12:00"), version("d", "2026-11-09 12:00")});
    EXPECT_EQ(result.staying(), "a c");
    EXPECT_EQ(result.why("a"), "newest, daily 2026-11-20");
    EXPECT_EQ(result.why("c"), "daily 2026-11-10");
}

TEST(Retention, weeksAreThoseOfIso) {
    Keep keep;
    keep.weekly = 3;
    // 2026 has 53 weeks, and its last one ends on Sunday, 3 January 2027.
    const auto result = judged(keep, {version("a", "2027-01-04 03:00"), version("b", "2027-01-03 03:00"),
                                      version("c", "2026-12-28 03:00"), version("d", "2026-12-27 03:00")});
    EXPECT_EQ(result.staying(), "a b d");
    EXPECT_EQ(result.why("a"), "newest, weekly 2027-W01");
    EXPECT_EQ(result.why("b"), "weekly 2026-W53");
    EXPECT_EQ(result.why("d"), "weekly 2026-W52");
}

TEST(Retention, monthsAndYearsAreThoseOfTheCalendar) {
    Keep keep;
    keep.monthly = 2;
    keep.yearly = 3;
    const auto result = judged(keep, {version("a", "2026-03-01 00:00"), version("b", "2026-02-28 23:00"),
                                      version("c", "2026-01-31 00:00"), version("d", "2025-12-31 23:59"),
                                      version("e", "2025-01-01 00:00"), version("f", "2023-06-01 00:00"),
                                      version("g", "2022-06-01 00:00")});
    EXPECT_EQ(result.staying(), "a b d f");
    EXPECT_EQ(result.why("a"), "newest, monthly 2026-03, yearly 2026");
    EXPECT_EQ(result.why("b"), "monthly 2026-02");
    EXPECT_EQ(result.why("d"), "yearly 2025");
    EXPECT_EQ(result.why("f"), "yearly 2023");
}

TEST(Retention, leapDayIsADay) {
    Keep keep;
    keep.daily = 3;
    EXPECT_EQ(judged(keep, {version("a", "2028-03-01 00:00"), version("b", "2028-02-29 12:00"),
                            version("c", "2028-02-28 12:00"), version("d", "2028-02-27 12:00")})
                  .staying(),
              "a b c");
}

TEST(Retention, aYearOfNightsComesDownToWhatTheRulesSay) {
    std::vector<Version> versions;
    const USec begin = at("2026-01-01 03:00");
    for (USec day = 0; day < 365; ++day) {
        Version v{.name = "n", .run = std::to_string(day), .startedAt = begin + day * 86'400 * usecPerSec};
        versions.push_back(v);
    }
    const Keep keep{.last = 7, .daily = 14, .weekly = 8, .monthly = 12, .yearly = 3};
    const auto result = judged(keep, versions);
    const auto stay = std::count_if(result.verdicts.begin(), result.verdicts.end(),
                                    [](const Verdict& verdict) { return verdict.stays; });
    // 18 to 31 December; of the 8 weeks, W53 (its last day), W52 (27th) and W51 (20th) are days of those; of the 12
    // months, December is one of them, and none of the other five weeks ends with its month.
    EXPECT_EQ(stay, 14 + 5 + 11);
    EXPECT_EQ(result.why("364"), "newest, one of the last 7, daily 2026-12-31, weekly 2026-W53, monthly 2026-12, "
                                 "yearly 2026");
}

TEST(Retention, baseStaysWhileAnIncrementNeedsIt) {
    const std::vector<Version> chain{version("full", "2026-11-01 03:00"), version("one", "2026-11-02 03:00", "full"),
                                     version("two", "2026-11-03 03:00", "one")};
    const auto result = judged(last(1), chain);
    EXPECT_EQ(result.staying(), "two one full");
    EXPECT_EQ(result.why("one"), "base of two");
    EXPECT_EQ(result.why("full"), "base of one");
}

TEST(Retention, chainGoesFromItsEndOnly) {
    Keep keep;
    keep.last = 1;
    keep.monthly = 2;
    // Of October, "two" stays: so does what it builds on, and "three", which builds on it, goes.
    const auto result = judged(keep, {version("full", "2026-10-01 03:00"), version("one", "2026-10-02 03:00", "full"),
                                      version("two", "2026-10-31 03:00", "one"),
                                      version("three", "2026-11-01 03:00", "two"), version("new", "2026-11-02 03:00")});
    EXPECT_EQ(result.staying(), "new two one full");
    EXPECT_FALSE(result.verdicts[1].stays);
    EXPECT_EQ(result.versions[1].run, "three");
}

TEST(Retention, chainThatNothingNeedsGoesWhole) {
    EXPECT_EQ(judged(last(1), {version("full", "2026-10-01 03:00"), version("one", "2026-10-02 03:00", "full"),
                               version("new", "2026-11-02 03:00")})
                  .staying(),
              "new");
}

TEST(Retention, clockThatWasSetBackHidesNoBase) {
    EXPECT_EQ(judged(last(1), {version("full", "2026-11-01 03:00"), version("one", "2026-11-05 03:00", "two"),
                               version("two", "2026-11-03 03:00", "full"), version("old", "2026-10-01 00:00")})
                  .staying(),
              "one two full");
    EXPECT_EQ(judged(last(1), {version("late", "2026-11-01 03:00", "early"), version("early", "2026-10-01 00:00", "x"),
                               version("x", "2026-10-20 00:00"), version("y", "2026-10-21 00:00")})
                  .staying(),
              "late x early");
}

TEST(Retention, chainThatBitesItsTailEnds) {
    EXPECT_EQ(judged(last(1), {version("a", "2026-11-02 03:00", "b"), version("b", "2026-11-01 03:00", "a")}).staying(),
              "a b");
}

TEST(Retention, newestProvenStays) {
    const std::vector<Version> versions{version("a", "2026-11-01 03:00"), version("b", "2026-11-02 03:00"),
                                        version("c", "2026-11-03 03:00"), version("d", "2026-11-04 03:00")};
    const auto result = judged(last(1), versions, {"a", "b", "gone"});
    EXPECT_EQ(result.staying(), "d b");
    EXPECT_EQ(result.why("b"), "newest proven");
}

TEST(Retention, whatTheRunHasMadeStaysThoughAClockWasSetBack) {
    const std::vector<Version> versions{version("c", "2030-01-01 03:00"), version("b", "2026-11-20 03:00", "a"),
                                        version("a", "2026-11-19 03:00"), version("d", "2026-11-18 03:00")};
    const auto verdicts = judge(last(1), versions, {}, "b");
    EXPECT_EQ(verdicts[0].why, "newest, one of the last 1");
    EXPECT_EQ(verdicts[1].why, "just made");
    EXPECT_EQ(verdicts[2].why, "base of b");
    EXPECT_FALSE(verdicts[3].stays);
}

TEST(Retention, provenIncrementKeepsItsChain) {
    EXPECT_EQ(judged(last(1),
                     {version("full", "2026-11-01 03:00"), version("one", "2026-11-02 03:00", "full"),
                      version("two", "2026-11-03 03:00", "one"), version("new", "2026-11-04 03:00")},
                     {"one"})
                  .staying(),
              "new one full");
}

TEST(Retention, whatIsLeftAloneStaysAndCountsForNoRule) {
    const auto result =
        judged(last(2), {leftAlone(version("x", "2026-11-20 03:00"), "another job's"), version("a", "2026-11-19 03:00"),
                         leftAlone(version("y", "2026-11-18 03:00"), "made by another machine (box)"),
                         version("b", "2026-11-17 03:00"), version("c", "2026-11-16 03:00")});
    EXPECT_EQ(result.staying(), "x a y b");
    EXPECT_EQ(result.why("x"), "another job's");
    EXPECT_EQ(result.why("a"), "newest, one of the last 2");
}

TEST(Retention, whatIsLeftAloneKeepsWhatItBuildsOn) {
    const auto result = judged(last(1), {leftAlone(version("x", "2026-11-02 03:00", "full"), "another job's"),
                                         version("full", "2026-11-01 03:00"), version("new", "2026-11-03 03:00")});
    EXPECT_EQ(result.staying(), "new x full");
    EXPECT_EQ(result.why("full"), "base of x");
}

TEST(Retention, whatCannotBeReadMayBeAnIncrement) {
    Version unreadable{.name = "nightly-20261102T030000Z-x", .run = "", .startedAt = 0};
    unreadable.unreadable = true;
    unreadable.leftAlone = "it cannot be read";
    auto archive = version("tar", "2026-10-30 03:00");
    archive.mayBeBase = false;
    const auto result = judged(last(1), {version("new", "2026-11-04 03:00"), version("later", "2026-11-03 03:00"),
                                         version("full", "2026-11-01 03:00"), archive, unreadable});
    EXPECT_EQ(result.staying(), "new full ");
    EXPECT_EQ(result.why("full"), "perhaps a base of nightly-20261102T030000Z-x, which cannot be read");
}

} // namespace
} // namespace holdfast
