#include "queue/dispatcher.hpp"

#include "../fake_systemd.hpp"
#include "run/ledger.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include <SQLiteCpp/SQLiteCpp.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

struct Recorder : RunObserver {
    std::vector<std::string> events; ///< "added <job>", …
    std::size_t changes = 0;
    void runAdded(const Run& run) override { events.push_back("added " + run.plan.job.name); }
    void runStarted(const Run& run) override { events.push_back("started " + run.plan.job.name); }
    void runChanged(const Run&) override { ++changes; }
    void runFinished(const Run& run) override { events.push_back("finished " + run.plan.job.name + " " + run.result); }
    void runForgotten(const Run& run) override { events.push_back("forgotten " + run.plan.job.name); }

    [[nodiscard]] bool saw(const std::string& event) const {
        return std::find(events.begin(), events.end(), event) != events.end();
    }
};

/// A daemon's life: destroyed, it leaves behind what a daemon leaves.
struct Daemon {
    Daemon(const Paths& paths, Systemd& systemd, const Settings& settings, DispatcherTimes times)
        : history(paths.history()), dispatcher(io, paths, systemd, history, settings, times) {
        dispatcher.observe(recorder);
    }

    template<typename Result>
    Result await(awaitable<Result> work) {
        auto future = asio::co_spawn(io, std::move(work), asio::use_future);
        EXPECT_TRUE(until([&] { return future.wait_for(0s) == std::future_status::ready; }));
        return future.get();
    }

    /// Turns the loop until something has come true.
    bool until(const std::function<bool()>& condition, std::chrono::seconds limit = 20s) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            io.run_one_for(10ms);
        }
        return true;
    }
    void turnFor(std::chrono::milliseconds time) { io.run_for(time); }

    asio::io_context io;
    History history;
    Recorder recorder;
    Dispatcher dispatcher;
};

class DispatcherTest : public testing::Test {
  protected:
    DispatcherTest() {
        paths.state = root / "state";
        paths.runtime = root / "run";
        paths.config = root / "etc";
        std::filesystem::create_directories(paths.state);
        times.retry = {.first = 20ms, .most = 40ms};
        restart();
    }
    ~DispatcherTest() override {
        daemon.reset();
        std::filesystem::remove_all(root);
    }

    /// Ends the daemon, as a crash does, and starts another.
    void restart() {
        daemon.reset();
        daemon.emplace(paths, systemd, settings, times);
        daemon->await(daemon->dispatcher.recover());
    }

    static Job job(const std::string& name) {
        return parseJob(nlohmann::json{{"name", name},
                                       {"remoteName", "local"},
                                       {"destinationPath", "backups"},
                                       {"preprocessType", "flash"},
                                       {"preprocessConfig", {{"flash", {{"gitPath", "/boot/.git"}}}}}});
    }
    std::string enqueue(const std::string& name) {
        return daemon->dispatcher.enqueue(planRun(job(name), settings, 1000)).plan.id;
    }
    std::string running(const std::string& name) {
        const std::string id = enqueue(name);
        EXPECT_TRUE(daemon->until([&] { return run(id).state.state == "running"; }));
        return id;
    }
    const holdfast::Run& run(const std::string& id) { return daemon->dispatcher.runs().at(id); }
    static std::string unit(const std::string& id) { return "holdfast-run-" + id + ".service"; }
    static std::string cleanupUnit(const std::string& id) { return "holdfast-cleanup-" + id + ".service"; }

    void writeState(const std::string& id, const std::string& state, const std::string& phase, std::uint64_t done) {
        RunState s;
        s.state = state;
        s.phase = phase;
        s.bytesDone = done;
        replaceFile(paths.runState(id), toJson(s).dump(), Durability::Volatile);
    }
    void writeResult(const std::string& id, const std::string& result) {
        RunResult r{.id = id, .result = result, .last = {}, .startedAt = 5, .finishedAt = 6, .kept = {}};
        r.last.state = stateOfResult(result);
        r.last.phase = "done";
        r.last.bytesDone = 77;
        std::filesystem::create_directories(paths.result(id).parent_path());
        replaceFile(paths.result(id), toJson(r).dump(), Durability::Durable);
    }
    void writeLedger(const std::string& id, const std::string& name) {
        Ledger::create(paths.ledger(id), {.id = id,
                                          .job = name,
                                          .host = "h",
                                          .rcloneConfig = "/etc/holdfast/rclone.conf",
                                          .outputPath = "local:backups/x",
                                          .kind = "streaming",
                                          .sourceType = "flash",
                                          .maxAttempts = 3,
                                          .cleanupOnFailure = true,
                                          .startedAt = 5});
    }
    void endWith(const std::string& id, const std::string& result) {
        writeResult(id, result);
        systemd.end(unit(id));
    }
    bool finished(const std::string& id) {
        return daemon->until([&] { return run(id).finished(); });
    }
    /// Nothing of the run is on disk any more.
    bool traceless(const std::string& id) {
        using std::filesystem::exists;
        return !exists(paths.queued(id)) && !exists(paths.live(id)) && !exists(paths.result(id).parent_path()) &&
               !exists(paths.ledger(id));
    }

    /// Every step is synced, which a disk would make slow.
    static std::filesystem::path scratch() {
        return std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    }

    std::filesystem::path root = scratch() / ("holdfast-queue-" + newId());
    Paths paths;
    Settings settings;
    DispatcherTimes times;
    test::FakeSystemd systemd;
    std::optional<Daemon> daemon;
};

nlohmann::json readJson(const std::filesystem::path& file) { return nlohmann::json::parse(readFile(file, 1 << 20)); }

} // namespace

TEST_F(DispatcherTest, TakesARunToItsEnd) {
    const auto id = enqueue("flash");
    EXPECT_TRUE(std::filesystem::exists(paths.queued(id)));
    EXPECT_EQ(run(id).state.state, "queued");
    EXPECT_TRUE(systemd.started.empty()); // not before the caller has replied
    ASSERT_TRUE(daemon->until([&] { return run(id).state.state == "running"; }));
    EXPECT_EQ(daemon->dispatcher.activeRuns(), 1U);
    EXPECT_EQ(systemd.started, std::vector<std::string>{unit(id)});
    EXPECT_EQ(readJson(paths.plan(id)).at("id"), id);
    EXPECT_NE(readJson(paths.plan(id)).at("startedAt"), 0);
    EXPECT_EQ(readJson(paths.limits(id)).at("bandwidth"), settings.maxTotalBandwidth);
    EXPECT_EQ(std::filesystem::status(paths.live(id)).permissions(), std::filesystem::perms::owner_all);

    writeState(id, "running", "uploading", 4711);
    ASSERT_TRUE(daemon->until([&] { return run(id).state.bytesDone == 4711; }));
    EXPECT_EQ(run(id).state.phase, "uploading");

    endWith(id, "done");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).state.state, "completed");
    EXPECT_EQ(run(id).state.phase, "done");
    EXPECT_EQ(run(id).finishedAt, 6U);
    EXPECT_TRUE(traceless(id));
    EXPECT_EQ(daemon->dispatcher.activeRuns(), 0U);
    const auto entry = daemon->history.find(id);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->job, "flash");
    EXPECT_EQ(entry->startedByUid, 1000U);
    EXPECT_EQ(entry->result.last.bytesDone, 77U);
    EXPECT_EQ(daemon->recorder.events,
              (std::vector<std::string>{"added flash", "started flash", "finished flash done"}));
}

TEST_F(DispatcherTest, IsNotOverBeforeItsUnitIs) {
    const auto id = running("flash");
    writeResult(id, "done");
    writeState(id, "completed", "done", 77);
    ASSERT_TRUE(daemon->until([&] { return run(id).state.bytesDone == 77; }));
    EXPECT_EQ(run(id).state.state, "running");
    EXPECT_EQ(run(id).state.phase, "cleaning");
    EXPECT_FALSE(run(id).finished());
    EXPECT_FALSE(daemon->history.find(id));
    systemd.end(unit(id));
    EXPECT_TRUE(finished(id));
}

TEST_F(DispatcherTest, ForgetsAFinishedRunLater) {
    times.shownAfterEnd = 30ms;
    restart();
    const auto id = running("flash");
    endWith(id, "done");
    ASSERT_TRUE(daemon->until([&] { return !daemon->dispatcher.runs().contains(id); }));
    EXPECT_EQ(daemon->recorder.events.back(), "forgotten flash");
}

TEST_F(DispatcherTest, ABrokenStateFileDisturbsNothing) {
    const auto id = running("flash");
    replaceFile(paths.runState(id), "{", Durability::Volatile);
    daemon->turnFor(20ms);
    EXPECT_EQ(run(id).state.state, "running");
    endWith(id, "done");
    EXPECT_TRUE(finished(id));
}

TEST_F(DispatcherTest, SharesTheBandwidthAmongThoseThatRun) {
    settings.maxTotalBandwidth = 100;
    restart();
    const auto rate = [&](const std::string& id) { return readJson(paths.limits(id)).at("bandwidth").get<int>(); };
    const auto a = running("a");
    EXPECT_EQ(rate(a), 100);
    const auto b = running("b");
    EXPECT_EQ(rate(a), 50);
    EXPECT_EQ(rate(b), 50);
    settings.maxTotalBandwidth = 60;
    daemon->dispatcher.applySettings(settings);
    EXPECT_EQ(rate(a), 30);
    endWith(b, "done");
    ASSERT_TRUE(finished(b));
    EXPECT_EQ(rate(a), 60);
}

TEST_F(DispatcherTest, RunsBeyondTheLimitWaitInOrder) {
    settings.maxConcurrentStreaming = 1;
    restart();
    const auto a = running("a");
    const auto b = enqueue("b");
    const auto c = enqueue("c");
    daemon->turnFor(20ms);
    EXPECT_EQ(run(b).state.state, "queued");
    EXPECT_EQ(run(b).blockedOn, "1st in the queue; waiting for a free stream slot (1 of 1 in use)");
    EXPECT_EQ(run(c).blockedOn, "2nd in the queue; waiting for a free stream slot (1 of 1 in use)");
    EXPECT_EQ(daemon->dispatcher.queuedRuns(), 2U);
    endWith(a, "failed");
    ASSERT_TRUE(daemon->until([&] { return run(b).state.state == "running"; }));
    EXPECT_TRUE(run(b).blockedOn.empty());
    EXPECT_TRUE(run(c).blockedOn.starts_with("1st"));
    EXPECT_EQ(run(a).state.state, "failed");

    settings.maxConcurrentStreaming = 2;
    daemon->dispatcher.applySettings(settings);
    EXPECT_TRUE(daemon->until([&] { return run(c).state.state == "running"; }));
}

TEST_F(DispatcherTest, OneWaitingRunAJob) {
    running("a");
    const auto second = enqueue("a");
    EXPECT_THROW(enqueue("a"), AlreadyQueued);
    daemon->turnFor(20ms);
    EXPECT_EQ(run(second).blockedOn, "1st in the queue; waiting for the run of the same job to finish");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(paths.queue()), {}), 2);
}

TEST_F(DispatcherTest, AFullQueueTakesNoMore) {
    settings.maxConcurrentStreaming = 0;
    settings.maxQueuedRuns = 2;
    restart();
    enqueue("a");
    enqueue("b");
    EXPECT_THROW(enqueue("c"), QueueFull);
    EXPECT_EQ(daemon->dispatcher.runs().size(), 2U);
}

TEST_F(DispatcherTest, WhatCannotBeWrittenIsNotQueued) {
    std::filesystem::remove_all(paths.queue());
    EXPECT_THROW(enqueue("a"), std::system_error);
    EXPECT_TRUE(daemon->dispatcher.runs().empty());
    EXPECT_EQ(daemon->dispatcher.queuedRuns(), 0U);
}

TEST_F(DispatcherTest, WaitsOnlySoLong) {
    settings.maxConcurrentStreaming = 1;
    settings.queueTimeout = 60'000;
    restart();
    const auto a = running("a");
    const auto b = enqueue("b");
    ASSERT_TRUE(finished(b));
    EXPECT_EQ(run(b).result, "timeout");
    EXPECT_EQ(run(b).state.state, "failed");
    EXPECT_TRUE(run(b).state.error.starts_with("QueueTimeout: The run could not start within 60ms: 1st in the queue"))
        << run(b).state.error;
    EXPECT_EQ(daemon->history.find(b)->result.result, "timeout");
    EXPECT_TRUE(traceless(b));
    EXPECT_FALSE(run(a).finished());
    EXPECT_FALSE(daemon->recorder.saw("started b"));
}

TEST_F(DispatcherTest, ARunThatATimerStartedWaitsUntilItsNextTurnComes) {
    settings.maxConcurrentStreaming = 1;
    settings.queueTimeout = 40'000;
    restart();
    const auto a = running("a");
    Plan plan = planRun(job("b"), settings, 0);
    plan.scheduled = true;
    const auto b = daemon->dispatcher.enqueue(std::move(plan)).plan.id;
    const auto c = enqueue("c");
    ASSERT_TRUE(finished(c)); // nobody's turn comes again
    EXPECT_FALSE(run(b).finished());
    restart();
    EXPECT_TRUE(daemon->dispatcher.waitsForATurn(b));
    EXPECT_FALSE(daemon->dispatcher.waitsForATurn(a));
    daemon->dispatcher.giveWay(b);
    ASSERT_TRUE(finished(b));
    EXPECT_EQ(run(b).result, "timeout");
    EXPECT_TRUE(run(b).state.error.starts_with("QueueTimeout: The run could not start before its job's next turn came"))
        << run(b).state.error;
    EXPECT_EQ(run(b).state.reason, run(b).state.error);
}

TEST_F(DispatcherTest, CancelsARunThatWaits) {
    settings.maxConcurrentStreaming = 0;
    restart();
    const auto id = enqueue("a");
    daemon->await(daemon->dispatcher.cancel(id, 42));
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "cancelled");
    EXPECT_EQ(run(id).state.state, "cancelled");
    EXPECT_EQ(run(id).state.error, "Cancelled by user 42 before it had begun.");
    EXPECT_TRUE(daemon->history.find(id));
    EXPECT_TRUE(traceless(id));
    EXPECT_TRUE(systemd.started.empty());
    EXPECT_THROW(daemon->await(daemon->dispatcher.cancel(id, 42)), NotCancelable);
    EXPECT_THROW(daemon->await(daemon->dispatcher.cancel(newId(), 42)), NoSuchRun);
}

TEST_F(DispatcherTest, CancelsARunThatRuns) {
    systemd.stopEnds = false;
    const auto id = running("a");
    daemon->await(daemon->dispatcher.cancel(id, 42));
    EXPECT_EQ(systemd.stopped, std::vector<std::string>{unit(id)});
    EXPECT_EQ(readJson(paths.cancel(id)).at("byUid"), 42);
    EXPECT_GT(readJson(paths.cancel(id)).at("at"), 0);
    EXPECT_FALSE(run(id).finished());
    EXPECT_THROW(daemon->await(daemon->dispatcher.cancel(id, 42)), NotCancelable);
    endWith(id, "cancelled");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).state.state, "cancelled");
}

TEST_F(DispatcherTest, CancelsARunThatStarts) {
    systemd.onStart = [&](const std::string& started) {
        if (started.starts_with("holdfast-cleanup-")) systemd.end(started);
    };
    const auto id = enqueue("a");
    ASSERT_TRUE(daemon->until([&] { return run(id).state.state == "starting"; }));
    daemon->await(daemon->dispatcher.cancel(id, 42)); // systemd knows the unit not yet, or just so
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "cancelled");
    EXPECT_FALSE(systemd.live.contains(unit(id)));
}

TEST_F(DispatcherTest, SaysWhySystemdRefused) {
    systemd.refused["holdfast-run-"] = "systemd could not start it: no such slice.";
    const auto id = enqueue("a");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "failed");
    EXPECT_EQ(run(id).state.error, "systemd could not start it: no such slice.");
    EXPECT_TRUE(systemd.started.empty());
    EXPECT_TRUE(traceless(id));
}

TEST_F(DispatcherTest, CleansUpAfterAWorkerThatDiedSilently) {
    const auto id = running("a");
    writeLedger(id, "a");
    int tries = 0;
    systemd.onStart = [&](const std::string& started) {
        if (started == cleanupUnit(id) && ++tries == 3) {
            std::filesystem::remove(paths.ledger(id));
            writeResult(id, "interrupted");
        }
        systemd.end(started);
    };
    systemd.end(unit(id));
    ASSERT_TRUE(daemon->until([&] { return tries == 1; }));
    daemon->turnFor(5ms);
    EXPECT_EQ(run(id).state.phase, "cleaning");
    EXPECT_TRUE(run(id).state.error.starts_with("Cleaning up has not succeeded yet")) << run(id).state.error;
    EXPECT_THROW(daemon->await(daemon->dispatcher.cancel(id, 42)), NotCancelable);
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(tries, 3);
    EXPECT_EQ(run(id).result, "interrupted");
    EXPECT_TRUE(traceless(id));
}

TEST_F(DispatcherTest, ARunWithAResultIsOverThoughSomethingIsLeftToGiveBack) {
    times.retry = {.first = 1ms, .most = 1ms};
    restart();
    const auto id = running("a");
    writeLedger(id, "a");
    int tries = 0;
    systemd.onStart = [&](const std::string& started) {
        if (started == cleanupUnit(id) && ++tries == 3) std::filesystem::remove(paths.ledger(id));
        if (started == cleanupUnit(id)) systemd.end(started);
    };
    endWith(id, "failed");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "failed");
    EXPECT_LT(tries, 3) << "the job may run again while the daemon still tries";
    ASSERT_TRUE(daemon->until([&] { return traceless(id); }));
    EXPECT_EQ(tries, 3);
    EXPECT_EQ(run(id).result, "failed");
}

TEST_F(DispatcherTest, WhatIsLeftOfARunThatIsOverIsGivenBackByTheNextDaemon) {
    times.retry = {.first = 1h, .most = 1h};
    restart();
    const auto id = running("a");
    writeLedger(id, "a");
    systemd.onStart = [&](const std::string& started) { systemd.end(started); };
    endWith(id, "failed");
    ASSERT_TRUE(finished(id));
    ASSERT_TRUE(daemon->until([&] { return systemd.startsOf(cleanupUnit(id)) == 1; }));
    systemd.onStart = [&](const std::string& started) {
        std::filesystem::remove(paths.ledger(id));
        systemd.end(started);
    };
    restart();
    ASSERT_TRUE(daemon->until([&] { return traceless(id); }));
    EXPECT_EQ(systemd.startsOf(cleanupUnit(id)), 2U);
    EXPECT_EQ(daemon->history.find(id)->result.result, "failed");
}

TEST_F(DispatcherTest, AnEndWithoutLedgerAndResultIsAnInterruption) {
    systemd.onStart = [&](const std::string& started) { systemd.end(started); };
    const auto id = enqueue("a");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(systemd.startsOf(cleanupUnit(id)), 1U);
    EXPECT_EQ(run(id).result, "interrupted");
    EXPECT_FALSE(run(id).state.error.empty());
}

TEST_F(DispatcherTest, ARunThatIsCleanedUpHoldsItsJobButNoSlot) {
    settings.maxConcurrentStreaming = 1;
    times.retry = {.first = 1h, .most = 1h};
    restart();
    const auto a = running("a");
    writeLedger(a, "a");
    systemd.refused["holdfast-cleanup-"] = "no";
    systemd.end(unit(a));
    const auto again = enqueue("a");
    const auto other = enqueue("b");
    ASSERT_TRUE(daemon->until([&] { return run(other).state.state == "running"; }));
    EXPECT_EQ(run(again).state.state, "queued");
}

TEST_F(DispatcherTest, ANewDaemonFindsARunningRun) {
    const auto id = running("a");
    writeState(id, "running", "uploading", 10);
    restart();
    EXPECT_EQ(run(id).state.phase, "uploading");
    EXPECT_EQ(run(id).state.bytesDone, 10U);
    EXPECT_GT(run(id).startedAt, 0U);
    EXPECT_EQ(daemon->dispatcher.activeRuns(), 1U);
    writeState(id, "running", "uploading", 20);
    ASSERT_TRUE(daemon->until([&] { return run(id).state.bytesDone == 20; }));
    endWith(id, "done");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(systemd.startsOf(unit(id)), 1U);
    EXPECT_EQ(daemon->recorder.events, (std::vector<std::string>{"added a", "finished a done"}));
}

TEST_F(DispatcherTest, ANewDaemonTakesTheResultOfARunThatEndedMeanwhile) {
    const auto id = running("a");
    daemon.reset();
    endWith(id, "done");
    restart();
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "done");
    EXPECT_EQ(systemd.startsOf(cleanupUnit(id)), 0U);
    EXPECT_TRUE(traceless(id));
}

TEST_F(DispatcherTest, ANewDaemonCleansUpAfterARunThatDiedMeanwhile) {
    const auto id = running("a");
    writeLedger(id, "a");
    daemon.reset();
    std::filesystem::remove_all(paths.runtime); // a power cut
    systemd.live.clear();
    systemd.onStart = [&](const std::string& started) {
        std::filesystem::remove(paths.ledger(id));
        writeResult(id, "interrupted");
        systemd.end(started);
    };
    restart();
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "interrupted");
    EXPECT_EQ(systemd.startsOf(cleanupUnit(id)), 1U);
    EXPECT_EQ(systemd.startsOf(unit(id)), 1U);
}

TEST_F(DispatcherTest, ANewDaemonKeepsTheQueueInOrder) {
    settings.maxConcurrentStreaming = 1;
    restart();
    const auto a = running("a");
    std::vector<std::string> waiting;
    for (const char* name : {"z", "m", "b"}) waiting.push_back(enqueue(name));
    restart();
    daemon->turnFor(20ms);
    EXPECT_EQ(daemon->dispatcher.queuedRuns(), 3U);
    EXPECT_EQ(systemd.started.size(), 1U); // the one that runs was counted first
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        EXPECT_TRUE(run(waiting[i]).blockedOn.starts_with(std::to_string(i + 1))) << run(waiting[i]).blockedOn;
    }
    endWith(a, "done");
    ASSERT_TRUE(daemon->until([&] { return run(waiting[0]).state.state == "running"; }));
    EXPECT_EQ(run(waiting[1]).state.state, "queued");
}

TEST_F(DispatcherTest, ABrokenQueueFileIsSetAside) {
    settings.maxConcurrentStreaming = 0;
    restart();
    const auto good = enqueue("good");
    const auto bad = newId();
    const auto wrongName = newId();
    daemon.reset();
    replaceFile(paths.queued(bad), "{\"version\": 1", Durability::Volatile);
    std::filesystem::copy(paths.queued(good), paths.queued(wrongName));
    replaceFile(paths.queue() / (".x.json.AbCdEf"), "half", Durability::Volatile);
    restart();
    EXPECT_EQ(daemon->dispatcher.runs().size(), 1U);
    EXPECT_EQ(run(good).state.state, "queued");
    EXPECT_TRUE(std::filesystem::exists(paths.queued(bad).string() + ".broken"));
    EXPECT_TRUE(std::filesystem::exists(paths.queued(wrongName).string() + ".broken"));
    EXPECT_FALSE(std::filesystem::exists(paths.queue() / ".x.json.AbCdEf"));
}

TEST_F(DispatcherTest, WhatWasRecordedIsNotRunAgain) {
    settings.maxConcurrentStreaming = 0;
    restart();
    const auto id = enqueue("a");
    const auto plan = readFile(paths.queued(id), 1 << 20);
    daemon->await(daemon->dispatcher.cancel(id, 42));
    ASSERT_TRUE(finished(id));
    replaceFile(paths.queued(id), plan, Durability::Durable); // as if the daemon had died just before it removed it
    settings.maxConcurrentStreaming = 1;
    restart();
    daemon->turnFor(20ms);
    EXPECT_TRUE(daemon->dispatcher.runs().empty());
    EXPECT_TRUE(systemd.started.empty());
    EXPECT_TRUE(traceless(id));
}

TEST_F(DispatcherTest, ALedgerWithoutAPlanIsSettledAndRecorded) {
    const auto id = newId();
    writeLedger(id, "lost");
    systemd.onStart = [&](const std::string& started) {
        std::filesystem::remove(paths.ledger(id));
        writeResult(id, "failed");
        systemd.end(started);
    };
    restart();
    ASSERT_TRUE(daemon->until([&] { return traceless(id); }));
    EXPECT_EQ(systemd.started, std::vector<std::string>{cleanupUnit(id)});
    const auto entry = daemon->history.find(id);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->job, "lost");
    EXPECT_EQ(entry->outputPath, "local:backups/x");
    EXPECT_EQ(entry->result.result, "failed");
    EXPECT_TRUE(daemon->dispatcher.runs().empty());
}

TEST_F(DispatcherTest, ALedgerThatNobodyCanReadStays) {
    const auto id = newId();
    replaceFile(paths.ledger(id), "?\n", Durability::Durable);
    restart();
    daemon->turnFor(30ms);
    EXPECT_TRUE(std::filesystem::exists(paths.ledger(id)));
    EXPECT_TRUE(systemd.started.empty());
}

TEST_F(DispatcherTest, OrphanedFoldersGoOnceNobodyUsesThem) {
    const auto dead = newId();
    const auto alive = newId();
    for (const auto& id : {dead, alive}) std::filesystem::create_directories(paths.live(id));
    writeResult(dead, "done");
    systemd.live.insert(unit(alive));
    restart();
    ASSERT_TRUE(daemon->until([&] { return traceless(dead); }));
    EXPECT_TRUE(std::filesystem::exists(paths.live(alive)));
    systemd.end(unit(alive));
    ASSERT_TRUE(daemon->until([&] { return traceless(alive); }));
    EXPECT_TRUE(systemd.started.empty());
}

TEST_F(DispatcherTest, CopesWithAQueueOf500) {
    settings.maxConcurrentStreaming = 3;
    restart();
    systemd.onStart = [&](const std::string& started) {
        writeResult(started.substr(13, 32), "done");
        systemd.end(started);
    };
    for (int i = 0; i < 500; ++i) enqueue("job-" + std::to_string(i));
    const auto idle = [&] { return daemon->dispatcher.activeRuns() + daemon->dispatcher.queuedRuns() == 0; };
    ASSERT_TRUE(daemon->until(idle, 120s));
    EXPECT_EQ(daemon->history.list({}, 1000, 0).size(), 500U);
    EXPECT_EQ(systemd.started.size(), 500U);
}

TEST_F(DispatcherTest, AResultStaysOnDiskUntilTheHistoryTakesIt) {
    const auto id = running("a");
    SQLite::Database full(paths.history().string(), SQLite::OPEN_READWRITE);
    full.exec("CREATE TRIGGER full BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END");
    endWith(id, "done");
    daemon->turnFor(100ms);
    EXPECT_FALSE(run(id).finished());
    EXPECT_TRUE(std::filesystem::exists(paths.result(id)));
    restart(); // whoever comes next finds it, too
    daemon->turnFor(50ms);
    EXPECT_TRUE(std::filesystem::exists(paths.result(id)));
    full.exec("DROP TRIGGER full");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(daemon->history.find(id)->result.result, "done");
    EXPECT_TRUE(traceless(id));
}

TEST_F(DispatcherTest, KeepsAsMuchHistoryAsTheSettingsSay) {
    for (const char* name : {"a", "b", "a"}) {
        const auto id = running(name);
        endWith(id, "done");
        ASSERT_TRUE(finished(id));
    }
    settings.historyMaxRuns = 1;
    daemon->dispatcher.applySettings(settings);
    EXPECT_TRUE(daemon->until([&] { return daemon->history.list({}, 10, 0).size() == 2; })) << "one of each job";
}

TEST_F(DispatcherTest, ARunWhoseUnitNeverCameIsStartedByTheNextDaemon) {
    const auto id = running("a");
    daemon.reset();
    systemd.live.clear(); // as if the call had never reached systemd
    restart();
    ASSERT_TRUE(daemon->until([&] { return run(id).state.state == "running"; }));
    EXPECT_EQ(systemd.startsOf(unit(id)), 2U);
    EXPECT_EQ(systemd.startsOf(cleanupUnit(id)), 0U);
    endWith(id, "done");
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "done");
}

TEST_F(DispatcherTest, ARunThatWasCancelledBeforeItsUnitCameStaysCancelled) {
    systemd.stopEnds = true;
    const auto id = running("a");
    replaceFile(paths.cancel(id), R"({"byUid": 42, "at": 1})", Durability::Volatile);
    daemon.reset();
    systemd.live.clear();
    systemd.onStart = [&](const std::string& started) { systemd.end(started); };
    restart();
    ASSERT_TRUE(finished(id));
    EXPECT_EQ(run(id).result, "cancelled");
    EXPECT_EQ(systemd.startsOf(unit(id)), 1U);
}
