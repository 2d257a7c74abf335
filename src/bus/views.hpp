#pragma once

#include "bus/variant.hpp"
#include "history/history.hpp"
#include "job/job.hpp"
#include "queue/dispatcher.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// The properties of org.holdfast1.Run, of a run that lives or of one from the history.
struct RunView {
    std::string id, job, kind, unit;
    std::uint32_t startedByUid = 0;
    std::string state, phase, blockedOn;
    std::uint32_t attempt = 0, maxAttempts = 0;
    USec queuedAt = 0, startedAt = 0, finishedAt = 0;
    std::uint64_t bytesDone = 0, bytesTotal = 0;
    bool bytesTotalEstimated = false;
    std::uint64_t rate = 0;
    USec etaUSec = 0;
    bool stalled = false;
    std::string outputPath, result, error;
    nlohmann::json metadata = nlohmann::json::object();
    std::string reason; ///< no property: what everybody may read of the error, if the run says it itself
};

RunView viewOf(const Run& run);
RunView viewOf(const HistoryEntry& entry);

/// Whether the user may read all of it, unasked: root, and who started it.
bool mayReadAll(const RunView& view, std::optional<std::uint32_t> uid);
/// What everybody may read of it. Words of programs, names of files and where something was restored to are not: they
/// may hold what was meant for a few.
RunView withoutDetails(RunView view);
/// What this user is shown of it; nobody is everybody.
RunView shownTo(std::optional<std::uint32_t> uid, RunView view);

/// By property name.
VariantMap toProperties(const RunView& view);
/// Names of the properties that differ.
std::vector<std::string> changedProperties(const RunView& before, const RunView& after);

/// How a job's latest finished run went.
struct LastRun {
    std::string id;
    USec at = 0; ///< its start; when it was queued, if it never started
    std::string result;
};

LastRun lastRunOf(const RunView& finished);
/// What it has warned of, in few words each.
std::vector<std::string> attentionOf(const RunView& finished);

/// What the history tells of a job.
struct JobPast {
    LastRun last;
    USec succeededAt = 0; ///< the end of the last backup that was done
    LastRun drill;        ///< `at` is its end
    USec provenAt = 0;
    std::vector<std::string> attention{}; ///< what the last backup that was done has warned of
};

/// What its timers tell.
struct JobFuture {
    USec nextRunAt = 0;
    USec schedulePeriod = 0;
    USec nextDrillAt = 0;
};

/// The properties of org.holdfast1.Job.
struct JobView {
    std::string name;
    bool enabled = true;
    std::string schedule;
    USec nextRunAt = 0;
    std::string sourceType, destination;
    std::string lastRunId;
    USec lastRunAt = 0;
    std::string lastRunResult;
    USec lastSuccessAt = 0;
    USec schedulePeriod = 0;
    USec nextDrillAt = 0, lastDrillAt = 0;
    std::string lastDrillId, lastDrillResult;
    USec lastProvenAt = 0;
    std::vector<std::string> attention;

    void show(const Job& job);
    void show(const JobPast& past);
    void show(const JobFuture& future);
};

JobView viewOf(const Job& job, const JobFuture& future);
std::vector<std::string> changedProperties(const JobView& before, const JobView& after);

} // namespace holdfast
