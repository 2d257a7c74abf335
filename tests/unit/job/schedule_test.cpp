#include "job/schedule.hpp"

#include "util/error.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {

using Lines = std::vector<std::string>;

TEST(Schedule, NoneForNothing) {
    EXPECT_EQ(toOnCalendar(""), Lines{});
    EXPECT_EQ(toOnCalendar("  "), Lines{});
}

TEST(Schedule, SystemdsFormIsKept) {
    for (const std::string text :
         {"daily", "*-*-* 03:00:00", "Mon..Fri 22:30", "Mon,Wed *-*-1..7 04:00:00 Europe/Berlin", "*-02~03",
          "Mon *-05~07/1", "*:0/15", "2026-11-23", "minutely", "*-*-* 00:00:00 Etc/GMT+1"}) {
        EXPECT_EQ(toOnCalendar(text), Lines{text});
    }
    EXPECT_EQ(toOnCalendar(" Mon \t 22:30 "), Lines{"Mon 22:30"});
}

TEST(Schedule, CronLines) {
    EXPECT_EQ(toOnCalendar("0 3 * * *"), Lines{"*-*-* 03:00:00"});
    EXPECT_EQ(toOnCalendar("* * * * *"), Lines{"*-*-* *:*:00"});
    EXPECT_EQ(toOnCalendar("30 22 * * 1-5"), Lines{"Mon,Tue,Wed,Thu,Fri *-*-* 22:30:00"});
    EXPECT_EQ(toOnCalendar("*/20 * * * *"), Lines{"*-*-* *:00,20,40:00"});
    EXPECT_EQ(toOnCalendar("0 8-18/5 * * *"), Lines{"*-*-* 08,13,18:00:00"});
    EXPECT_EQ(toOnCalendar("5,10-12 0 1 1,7 *"), Lines{"*-01,07-01 00:05,10..12:00"});
    EXPECT_EQ(toOnCalendar("0 0 1 jan-MAR *"), Lines{"*-01..03-01 00:00:00"});
    EXPECT_EQ(toOnCalendar("0 0 * * sun"), Lines{"Sun *-*-* 00:00:00"});
    EXPECT_EQ(toOnCalendar("0 0 * * 7"), toOnCalendar("0 0 * * 0"));
    EXPECT_EQ(toOnCalendar("0 0 * * 5-7"), Lines{"Fri,Sat,Sun *-*-* 00:00:00"});
    EXPECT_EQ(toOnCalendar("0 0 * * 0-6"), Lines{"*-*-* 00:00:00"});
    EXPECT_EQ(toOnCalendar("0\t3 *  * *"), Lines{"*-*-* 03:00:00"});
}

TEST(Schedule, BothDayFieldsOfCronMeanOr) {
    EXPECT_EQ(toOnCalendar("0 4 1,15 * 5"), (Lines{"*-*-01,15 04:00:00", "Fri *-*-* 04:00:00"}));
    // a star with a step counts as a star for cron, and then both must match
    EXPECT_EQ(toOnCalendar("0 4 */10 * 5"), Lines{"Fri *-*-01,11,21,31 04:00:00"});
}

TEST(Schedule, Nicknames) {
    EXPECT_EQ(toOnCalendar("@hourly"), Lines{"hourly"});
    EXPECT_EQ(toOnCalendar("@daily"), Lines{"daily"});
    EXPECT_EQ(toOnCalendar("@Midnight"), Lines{"daily"});
    EXPECT_EQ(toOnCalendar("@weekly"),
              Lines{"Sun *-*-* 00:00:00"}); // cron's week begins on Sunday, systemd's on Monday
    EXPECT_EQ(toOnCalendar("@yearly"), Lines{"yearly"});
    EXPECT_THROW(toOnCalendar("@reboot"), Error);
}

TEST(Schedule, WrongCronLines) {
    for (const auto* text : {"60 * * * *",   "* 24 * * *",    "* * 0 * *",           "* * 32 * *",  "* * * 0 *",
                             "* * * 13 *",   "* * * * 8",     "5-1 * * * *",         "*/0 * * * *", "*/60 * * * *",
                             "5/10 * * * *", "1-2-3 * * * *", "1/2/3 * * * *",       ", * * * *",   "1, * * * *",
                             "- * * * *",    "-1 * * * *",    "a * * * *",           "* jan * * *", "* * * foo *",
                             "1..3 * * * *", "*5 * * * *",    "99999999999 * * * *", "+1 * * * *",  "*-5 * * * *"}) {
        EXPECT_THROW(toOnCalendar(text), Error) << text;
    }
}

TEST(Schedule, WrongCharactersAndShapes) {
    const std::string nul("daily\0", 6);
    for (const std::string& text :
         {std::string("a;b"), std::string("da\nily"), std::string("$(x)"), nul, std::string("täglich"),
          std::string("0 0 3 * * *"), std::string("Mon @daily"), std::string(257, '*')}) {
        EXPECT_THROW(toOnCalendar(text), Error) << text;
    }
}

TEST(Schedule, ErrorsSayWhatMayBeWritten) {
    try {
        toOnCalendar("61 * * * *");
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(),
                     "\"61\" is not a minute of a cron line: write *, values from 0 to 59, ranges such as 0-59, "
                     "steps such as */2, or a list of these");
    }
}

} // namespace holdfast::test
