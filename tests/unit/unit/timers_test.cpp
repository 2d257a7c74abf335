#include "unit/timers.hpp"

#include <map>

#include <gtest/gtest.h>

using namespace holdfast;

TEST(TimerProperties, ArePersistentExactAndSteady) {
    std::map<std::string, sdbus::Variant> found;
    const TimerSpec spec{.unit = "holdfast-job@a.timer",
                         .description = "Schedule of a",
                         .onCalendar = {"*-*-01 04:00:00", "Fri *-*-* 04:00:00"},
                         .randomizedDelay = 7};
    for (const auto& property : timerProperties(spec)) found.emplace(property.get<0>(), property.get<1>());

    using Calendar = sdbus::Struct<std::string, std::string>;
    EXPECT_EQ(found.at("TimersCalendar").get<std::vector<Calendar>>(),
              (std::vector<Calendar>{{"OnCalendar", "*-*-01 04:00:00"}, {"OnCalendar", "Fri *-*-* 04:00:00"}}));
    EXPECT_EQ(found.at("Description").get<std::string>(), "Schedule of a");
    EXPECT_TRUE(found.at("Persistent").get<bool>());
    EXPECT_TRUE(found.at("FixedRandomDelay").get<bool>());
    EXPECT_EQ(found.at("AccuracyUSec").get<std::uint64_t>(), usecPerSec);
    EXPECT_EQ(found.at("RandomizedDelayUSec").get<std::uint64_t>(), 7U);
}
