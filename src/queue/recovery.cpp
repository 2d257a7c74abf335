#include "queue/dispatcher_impl.hpp"

#include "run/ledger.hpp"
#include "util/log.hpp"

#include <exception>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

awaitable<void> Dispatcher::Impl::recover() {
    const auto self = shared_from_this();
    files.createFolders();
    files.removeProbes();
    std::vector<Plan> waiting;
    for (Plan& plan : files.readQueue()) {
        const std::string id = plan.id;
        if (wasRecorded(id)) {
            files.forget(id);
        } else if (!files.hasLiveFolder(id) && neverBegan(id)) {
            waiting.push_back(std::move(plan));
        } else {
            const bool unitLives = co_await systemd.isLive("holdfast-run-" + id + ".service");
            if (!unitLives && neverBegan(id)) {
                logNotice(fmt::format("Run {} of job {} had not begun when the service ended.", id, plan.job.name));
                std::filesystem::remove_all(paths.live(id));
                waiting.push_back(std::move(plan));
                continue;
            }
            plan.startedAt = files.startedAt(id);
            add(std::move(plan));
            if (unitLives || !takeResult(id)) adopt(id, unitLives);
        }
    }
    shareOut();
    // Only now, when it is known how many run.
    for (Plan& plan : waiting) enqueue(add(std::move(plan)));
    for (const auto& id : files.idsOnDisk()) {
        if (!runs.contains(id)) spawn(settleOrphan(id), "What is left of run " + id);
    }
    pruneSoon();
}

bool Dispatcher::Impl::wasRecorded(const std::string& id) const {
    try {
        // The daemon died after it had recorded the result and before it had removed the files.
        return !files.hasLedger(id) && history.find(id).has_value();
    } catch (const std::exception& e) {
        logWarning(e.what());
        return false;
    }
}

/// The daemon, or the machine, died between the plan's last word and the worker's first: whatever a worker acquires is
/// in its ledger before, and stays there until there is a result.
bool Dispatcher::Impl::neverBegan(const std::string& id) const {
    const bool cancelled = std::filesystem::exists(paths.cancel(id));
    return !cancelled && !files.hasLedger(id) && !std::filesystem::exists(paths.result(id));
}

bool Dispatcher::Impl::takeResult(const std::string& id) {
    auto result = files.hasLedger(id) ? std::nullopt : files.readResult(id);
    if (!result) return false;
    const HistoryEntry entry = entryOf(runs.at(id), std::move(*result));
    if (!recorded(entry)) return false;
    logNotice(fmt::format("Run {} of job {} has ended meanwhile ({}).", id, entry.job, entry.result.result));
    showFinished(id, entry.result);
    return true;
}

void Dispatcher::Impl::adopt(const std::string& id, bool unitLives) {
    Run& run = runs.at(id);
    Live& live = lives.at(id);
    admission.adopt(id, run.plan.lockName(), run.plan.streams());
    live.hasFolder = files.hasLiveFolder(id);
    live.cancelling = std::filesystem::exists(paths.cancel(id));
    // Until its state.json says more.
    run.state.state = unitLives ? "starting" : "running";
    run.state.phase = unitLives ? "queued" : "cleaning";
    logNotice(fmt::format("Run {} of job {} {}.", id, run.plan.job.name,
                          unitLives ? "goes on" : "has ended meanwhile and is looked after"));
    if (live.hasFolder) watchProgress(id);
    if (unitLives) readState(id);
    tell(&RunObserver::runAdded, run);
    spawn(follow(id, false), "Run " + id);
}

/// A run that has no plan any more: its ledger says what is left of it, and who it was.
awaitable<void> Dispatcher::Impl::settleOrphan(std::string id) {
    const auto self = shared_from_this();
    co_await systemd.untilGone("holdfast-run-" + id + ".service");
    if (files.hasLedger(id)) {
        const LedgerHeader header = Ledger::open(paths.ledger(id)).header();
        const Settler::Report report = [id](const std::string& why) { logWarning(fmt::format("Run {}: {}", id, why)); };
        const auto result = co_await settler.settle(id, nullptr, report);
        if (!history.find(id)) recordOrphan(header, result); // else an earlier daemon has, and knew more of it
        co_await settler.giveBack(id, nullptr, report);
    }
    logNotice(fmt::format("Removing what is left of run {}.", id));
    files.forget(id);
}

void Dispatcher::Impl::recordOrphan(const LedgerHeader& header, const std::optional<RunResult>& found) {
    RunResult result = found.value_or(RunResult());
    if (!found) {
        result = {.id = header.id,
                  .result = "interrupted",
                  .last = {},
                  .startedAt = header.startedAt,
                  .finishedAt = nowUSec(),
                  .kept = {}};
        result.last.error = "The run ended without a result.";
    }
    result.last.state = stateOfResult(result.result);
    result.last.phase = "done";
    history.record({.id = header.id,
                    .job = header.job,
                    .kind = header.kind,
                    .unit = "holdfast-run-" + header.id + ".service",
                    .startedByUid = 0,
                    .maxAttempts = header.maxAttempts,
                    .queuedAt = header.startedAt,
                    .outputPath = header.outputPath,
                    .result = std::move(result)});
}

} // namespace holdfast
