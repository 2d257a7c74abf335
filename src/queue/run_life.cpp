#include "queue/dispatcher_impl.hpp"

#include "util/async.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace holdfast {

awaitable<void> Dispatcher::Impl::follow(std::string id, bool toLaunch) {
    const auto self = shared_from_this();
    const Run& run = runs.at(id);
    std::string whyNotStarted;
    if (toLaunch) whyNotStarted = co_await launch(id);
    co_await systemd.untilGone(run.unit());
    unitGone(id);

    std::optional<RunResult> result = files.readResult(id);
    // A run that never started, and has left nothing, needs no cleanup.
    if (whyNotStarted.empty() || result || files.hasLedger(id)) {
        const Settler::Report report = [this, id](const std::string& why) {
            logWarning(fmt::format("Run {}: {}", id, why));
            Run& uncleaned = runs.at(id);
            uncleaned.state.error = why;
            tell(&RunObserver::runChanged, uncleaned);
        };
        result = co_await settler.settle(id, &run.plan, report);
    }
    if (!result) result = resultWithoutWorker(run, whyNotStarted);
    co_await complete(id, std::move(*result));
    if (files.hasLedger(id)) spawn(giveBackRest(id, run.plan), "What is left of run " + id);
}

/// The run is over and recorded, and its job may run again. What could not be given back yet is still to be.
awaitable<void> Dispatcher::Impl::giveBackRest(std::string id, Plan plan) {
    const auto self = shared_from_this();
    const Settler::Report report = [id](const std::string& why) { logWarning(fmt::format("Run {}: {}", id, why)); };
    co_await settler.giveBack(id, &plan, report);
    files.forget(id);
}

awaitable<std::string> Dispatcher::Impl::launch(std::string id) {
    Run& run = runs.at(id);
    std::string failure;
    try {
        shareOut();
        files.makeLive(run.plan, lives.at(id).share); // a daemon that finds the folder will look for the unit
        lives.at(id).hasFolder = true;
        watchProgress(id);
        if (lives.at(id).cancelling) co_return "It was cancelled.";
        co_await systemd.start(run.unit(), runUnitProperties(run.plan, paths));
    } catch (const std::exception& e) {
        failure = e.what();
    }
    if (!failure.empty()) co_return failure;

    if (run.state.state == "starting") run.state.state = "running";
    tell(&RunObserver::runStarted, run);
    tell(&RunObserver::runChanged, run);
    readState(id);
    if (!lives.at(id).cancelling) co_return failure;
    try {
        co_await systemd.stop(run.unit()); // the first one may have come too early to find a unit
    } catch (const std::exception& e) {
        logWarning(fmt::format("Run {} was cancelled, but goes on: {}", id, e.what()));
    }
    co_return failure;
}

/// A run is worth more than the sight of it.
void Dispatcher::Impl::watchProgress(const std::string& id) {
    try {
        watch.add(id);
    } catch (const std::exception& e) {
        logWarning(fmt::format("The progress of run {} will not be seen: {}", id, e.what()));
    }
}

void Dispatcher::Impl::readState(const std::string& id) {
    const auto live = lives.find(id);
    if (live == lives.end() || live->second.ended) return;
    Run& run = runs.at(id);
    try {
        auto state = files.readState(id);
        if (!state) return;
        // The worker is at its end, but the run is over only when its unit is gone.
        if (state->state == "completed" || state->state == "failed" || state->state == "cancelled") {
            state->state = "running";
            state->phase = "cleaning";
        }
        run.state = std::move(*state);
        noteDemand(id);
        tell(&RunObserver::runChanged, run);
    } catch (const std::exception& e) {
        if (std::exchange(live->second.brokenStateLogged, true)) return;
        logWarning(fmt::format("The progress of run {} cannot be read: {}", id, e.what()));
    }
}

void Dispatcher::Impl::unitGone(const std::string& id) {
    watch.remove(id);
    lives.at(id).ended = true;
    admission.giveBackSlot(id);
    shareOut();
    admitSoon();
    Run& run = runs.at(id);
    run.state.phase = "cleaning";
    run.state.rate = 0;
    run.state.etaUSec = 0;
    run.state.stalled = false;
    tell(&RunObserver::runChanged, run);
}

RunResult Dispatcher::Impl::resultOf(const Run& run, const std::string& result, const std::string& error) const {
    RunResult r{.id = run.plan.id,
                .result = result,
                .last = run.state,
                .startedAt = run.startedAt,
                .finishedAt = nowUSec(),
                .kept = {}};
    r.last.error = r.last.reason = error;
    return r;
}

RunResult Dispatcher::Impl::resultWithoutWorker(const Run& run, const std::string& whyNotStarted) const {
    const Live& live = lives.at(run.plan.id);
    if (live.cancelling) {
        return resultOf(run, "cancelled", fmt::format("Cancelled by user {} before it had begun.", live.cancelledBy));
    }
    if (!whyNotStarted.empty()) {
        RunResult failed = resultOf(run, "failed", whyNotStarted);
        failed.last.reason = "The run could not be started.";
        return failed;
    }
    return resultOf(run, "interrupted",
                    fmt::format("The run ended without a result; \"journalctl -u {}\" may say why.", run.unit()));
}

HistoryEntry Dispatcher::Impl::entryOf(const Run& run, RunResult result) const {
    result.last.state = stateOfResult(result.result);
    result.last.phase = "done";
    return {.id = run.plan.id,
            .job = run.plan.job.name,
            .kind = run.plan.kind(),
            .unit = run.unit(),
            .startedByUid = run.plan.startedByUid,
            .maxAttempts = run.plan.settings.maxAttempts,
            .queuedAt = run.plan.queuedAt,
            .outputPath = run.plan.outputPath(),
            .result = std::move(result)};
}

awaitable<void> Dispatcher::Impl::complete(std::string id, RunResult result) {
    const auto self = shared_from_this();
    const HistoryEntry entry = entryOf(runs.at(id), std::move(result));
    for (BackOff backOff = times.retry; !recorded(entry);) co_await sleepFor(backOff.next());
    showFinished(id, entry.result);
}

bool Dispatcher::Impl::recorded(const HistoryEntry& entry) {
    try {
        history.record(entry);
        files.forget(entry.id);
        pruneSoon();
        return true;
    } catch (const std::exception& e) {
        logError(fmt::format("The result of run {} cannot be recorded: {}", entry.id, e.what()));
        return false;
    }
}

void Dispatcher::Impl::pruneSoon() {
    if (!std::exchange(pruning, true)) spawn(prune(), "Old runs are not removed from the history");
}

awaitable<void> Dispatcher::Impl::prune() {
    const auto self = shared_from_this();
    constexpr std::uint32_t batch = 200;
    Retention retention;
    retention.maxRuns = settings.historyMaxRuns;
    if (settings.historyMaxAge > 0) retention.since = nowUSec() - std::min(settings.historyMaxAge, nowUSec());
    try {
        while (history.prune(retention, batch) == batch) co_await sleepFor(std::chrono::milliseconds(20));
    } catch (...) {
        pruning = false;
        throw;
    }
    pruning = false;
}

void Dispatcher::Impl::completeSoon(const std::string& id, RunResult result) {
    lives.at(id).waiting = false;
    lives.at(id).ended = true;
    asio::post(io, [self = shared_from_this(), id, result = std::move(result)]() mutable {
        self->spawn(self->complete(id, std::move(result)), "Run " + id);
    });
}

void Dispatcher::Impl::showFinished(const std::string& id, const RunResult& result) {
    Run& run = runs.at(id);
    run.state = result.last;
    run.result = result.result;
    run.blockedOn.clear();
    run.startedAt = result.startedAt != 0 ? result.startedAt : run.startedAt;
    run.finishedAt = result.finishedAt;
    lives.erase(id);
    admission.leave(id);
    tell(&RunObserver::runFinished, run);
    admitSoon();
    spawn(forgetLater(id), "Run " + id);
}

awaitable<void> Dispatcher::Impl::forgetLater(std::string id) {
    const auto self = shared_from_this();
    co_await sleepFor(times.shownAfterEnd);
    const auto run = runs.find(id);
    tell(&RunObserver::runForgotten, run->second);
    runs.erase(run);
}

} // namespace holdfast
