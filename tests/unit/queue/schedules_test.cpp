#include "queue/schedules.hpp"

#include "../fake_timers.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

using Log = std::vector<std::string>;

class SchedulesTest : public testing::Test {
  protected:
    SchedulesTest() {
        paths.state = root / "state";
        paths.timerStamps = root / "stamps";
        std::filesystem::create_directories(paths.state);
        std::filesystem::create_directories(paths.timerStamps);
        timers.onStart = [this](const std::string& unit) {
            if (std::filesystem::exists(paths.timerStamp(unit))) missed.push_back(unit);
            replaceFile(paths.timerStamp(unit), "", Durability::Volatile);
        };
        restart();
    }
    ~SchedulesTest() override {
        schedules.reset();
        io.reset();
        std::filesystem::remove_all(root);
    }

    /// As a crash and a new daemon; the timers stay.
    void restart() {
        schedules.reset();
        io.emplace();
        schedules.emplace(*io, paths, timers, backupTimers(paths), BackOff{.first = 5ms, .most = 5ms});
        schedules->onChange([this](const std::string& job) { changed.push_back(job); });
        timers.log.clear();
    }
    /// Systemd forgets transient units, but not the stamps.
    void reboot() {
        timers.active.clear();
        missed.clear();
        restart();
    }
    void settle() {
        io->restart();
        auto done = asio::co_spawn(*io, schedules->settled(10s), asio::use_future);
        const auto end = std::chrono::steady_clock::now() + 10s;
        while (done.wait_for(0s) != std::future_status::ready && std::chrono::steady_clock::now() < end) {
            io->run_one_for(5ms);
        }
        ASSERT_EQ(done.wait_for(0s), std::future_status::ready);
        done.get();
    }
    void turnFor(std::chrono::milliseconds time) {
        io->restart(); // it stops when nothing waits
        io->run_for(time);
    }
    void follow() {
        schedules->follow(jobs);
        settle();
    }
    void put(const std::string& name, const std::string& schedule, const nlohmann::json& more = {}) {
        nlohmann::json document{{"name", name}, {"schedule", schedule}, {"remoteName", "r"}, {"sourcePath", "/srv"}};
        if (!more.is_null()) document.update(more);
        jobs.insert_or_assign(name, parseJob(document));
    }

    std::filesystem::path root = std::filesystem::temp_directory_path() / ("holdfast-schedules-" + newId());
    Paths paths;
    test::FakeTimers timers;
    std::map<std::string, Job> jobs;
    std::vector<std::string> changed;
    std::vector<std::string> missed; ///< timers that found a stamp
    std::optional<asio::io_context> io;
    std::optional<Schedules> schedules;
};

} // namespace

TEST(DrillTimers, GoByTheScheduleOfTheDrill) {
    const auto kind = drillTimers(Paths{});
    Job job;
    job.schedule = "daily";
    EXPECT_EQ(kind.schedule(job), "");
    job.drill = DrillConfig{};
    job.drill->schedule = "weekly";
    EXPECT_EQ(kind.schedule(job), "weekly");
    EXPECT_EQ(kind.prefix, "holdfast-drill@");
    EXPECT_NE(kind.record, backupTimers(Paths{}).record);
}

TEST_F(SchedulesTest, ATimerForEachEnabledJobWithASchedule) {
    put("nightly", "0 4 1 * 5", {{"randomizedDelay", "15min"}});
    put("manual", " ");
    put("off", "daily", {{"enabled", false}});
    timers.next["holdfast-job@nightly.timer"] = 77;
    follow();
    ASSERT_EQ(timers.log, Log{"start holdfast-job@nightly.timer"});
    const auto& spec = timers.active.at("holdfast-job@nightly.timer");
    EXPECT_EQ(spec.onCalendar, (Log{"*-*-01 04:00:00", "Fri *-*-* 04:00:00"}));
    EXPECT_EQ(spec.randomizedDelay, 900 * usecPerSec);
    EXPECT_EQ(spec.description, "Schedule of backup job nightly (0 4 1 * 5, up to 900s later)");
    EXPECT_EQ(schedules->nextRunAt("nightly"), 77U);
    EXPECT_EQ(schedules->nextRunAt("manual"), 0U);
    EXPECT_EQ(changed, Log{"nightly"});
}

TEST_F(SchedulesTest, WhatIsRightIsNotTouched) {
    put("a", "daily");
    put("b", "daily");
    follow();
    restart();
    put("b", "weekly");
    follow();
    EXPECT_EQ(timers.log, (Log{"stop holdfast-job@b.timer", "start holdfast-job@b.timer"}));
    schedules->lookAgain();
    settle();
    EXPECT_EQ(timers.log.size(), 2U);
}

TEST_F(SchedulesTest, TimersOfJobsThatAreGoneGo) {
    put("a", "daily");
    put("b", "daily");
    follow();
    restart();
    jobs.erase("a");
    put("b", "daily", {{"enabled", false}});
    follow();
    EXPECT_TRUE(timers.active.empty());
    EXPECT_TRUE(std::filesystem::is_empty(paths.timerStamps));
}

TEST_F(SchedulesTest, AfterABootTheStampSaysWhatWasMissed) {
    put("same", "daily");
    put("edited", "daily");
    put("off", "daily");
    follow();
    put("off", "daily", {{"enabled", false}});
    follow();
    put("edited", "weekly");
    put("off", "daily");
    reboot();
    follow();
    EXPECT_EQ(missed, Log{"holdfast-job@same.timer"});
    EXPECT_EQ(timers.active.size(), 3U);
}

TEST_F(SchedulesTest, ARecordThatIsLostMakesUpNothing) {
    put("a", "daily");
    follow();
    replaceFile(paths.schedules(), "{", Durability::Volatile);
    reboot();
    follow();
    EXPECT_EQ(missed, Log{});
    EXPECT_EQ(timers.active.size(), 1U);
}

TEST_F(SchedulesTest, ARecordThatCannotBeWrittenStopsNoSchedule) {
    put("a", "daily");
    std::filesystem::remove_all(paths.state);
    follow();
    EXPECT_EQ(timers.active.size(), 1U);
}

TEST_F(SchedulesTest, TriesAgainWhatSystemdRefused) {
    put("a", "daily");
    timers.refused = "No.";
    follow();
    EXPECT_TRUE(timers.active.empty());
    ASSERT_TRUE(schedules->failures().contains("a"));
    EXPECT_EQ(schedules->failures().at("a"), "The schedule of job \"a\" is not in force: No.");
    EXPECT_EQ(changed, std::vector<std::string>{"a"});
    timers.refused.clear();
    turnFor(100ms);
    EXPECT_EQ(timers.active.size(), 1U);
    EXPECT_TRUE(schedules->failures().empty());
}

TEST_F(SchedulesTest, FollowsWhatTheTimersSay) {
    put("a", "daily");
    follow();
    changed.clear();
    timers.next["holdfast-job@a.timer"] = 99;
    timers.signal("holdfast-job@a.timer");
    timers.signal("holdfast-job@a.timer");
    timers.signal("holdfast-job@other.timer");
    timers.signal("apt-daily.timer");
    turnFor(50ms);
    EXPECT_EQ(schedules->nextRunAt("a"), 99U);
    EXPECT_EQ(changed, Log{"a"});

    timers.active.clear(); // somebody has stopped it
    timers.signal("holdfast-job@a.timer");
    turnFor(50ms);
    EXPECT_EQ(schedules->nextRunAt("a"), 0U);
    schedules->lookAgain();
    settle();
    EXPECT_EQ(schedules->nextRunAt("a"), 99U);
}

TEST_F(SchedulesTest, ATimerThatCountsFromATimeToComeIsMadeAnew) {
    using FileClock = std::filesystem::file_time_type::clock;
    const std::string unit = "holdfast-job@a.timer";
    const auto clockIsSetBack = [&] {
        std::filesystem::last_write_time(paths.timerStamp(unit), FileClock::now() + 48h);
        timers.log.clear();
    };
    put("a", "daily");
    follow();
    clockIsSetBack();
    timers.signal(unit); // as systemd does then
    turnFor(50ms);
    EXPECT_EQ(timers.log, (Log{"stop " + unit, "start " + unit}));
    EXPECT_LE(std::filesystem::last_write_time(paths.timerStamp(unit)), FileClock::now());

    clockIsSetBack();
    restart(); // nobody was there to hear of it
    follow();
    EXPECT_EQ(timers.log, (Log{"stop " + unit, "start " + unit}));
    EXPECT_EQ(missed, Log{});

    timers.last[unit] = 1; // it has elapsed, so systemd puts it right by itself
    clockIsSetBack();
    timers.signal(unit);
    turnFor(50ms);
    EXPECT_EQ(timers.log, Log{});
}

TEST_F(SchedulesTest, AJobThatChangesMeanwhileGetsItsLastSchedule) {
    put("a", "daily");
    schedules->follow(jobs);
    io->run_one_for(5ms);
    put("a", "weekly");
    schedules->follow(jobs);
    settle();
    EXPECT_EQ(timers.active.at("holdfast-job@a.timer").onCalendar, Log{"weekly"});
}
