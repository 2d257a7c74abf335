#pragma once

#include "job/job.hpp"
#include "job/settings.hpp"
#include "run/machine.hpp"
#include "run/task.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

/// The job's last backup that was done, as the history tells, if it lies where this one goes.
struct EarlierBackup {
    std::string manifestName;
    nlohmann::json ground =
        nlohmann::json::object(); ///< what it saw of source and destination: its metadata's "ground"
    bool failedSince = false;     ///< a later run was not done: a mirror has no manifest then
    bool agreedSince = false;     ///< somebody has had old backups removed since, and so agrees to what is there
};

/// All that a worker needs to know of its run, fully resolved when the run is asked for: a job that is edited or
/// removed afterwards does not change a run that waits. Valid by construction: made by planRun() or read from our own
/// file.
struct Plan {
    std::string id;
    /// Of a backup or a drill all of it. Of another task, which may be about a job that is not stored here, what is
    /// known: its name, where its backups lie (remoteName, destinationPath), and what kind of source they are of.
    Job job;
    Task task;
    Settings settings;
    std::uint32_t startedByUid = 0;
    bool scheduled = false; ///< a timer started it, so it waits in the queue for as long as it takes
    USec queuedAt = 0;
    USec startedAt = 0; ///< when the unit was asked for; 0 in the queue folder
    Machine machine;    ///< on which it runs
    /// Below the job's destinationPath: the object of a stream ("<job>-<UTC>-<id8>.tar.zst") or the folder of a version
    /// ("<job>-<UTC>-<id8>"). Empty for a mirror, which is the destinationPath itself.
    std::string objectName;
    /// Backups of the job that are known to have been read back whole: the newest of them is never removed.
    std::vector<std::string> provenRuns{};
    std::optional<EarlierBackup> earlier{};

    [[nodiscard]] bool backsUp() const { return std::holds_alternative<BackupTask>(task); }
    [[nodiscard]] bool drills() const { return std::holds_alternative<DrillTask>(task); }
    /// "streaming" or "copy", the seed's two kinds of backups; "restore", "verify", "drill", "prune", "janitor".
    [[nodiscard]] std::string kind() const;
    /// Whether it needs one of the slots for streams, or one of those for copies.
    [[nodiscard]] bool streams() const { return !backsUp() || job.streams(); }
    /// Of the runs that have this in common, one goes at a time: the job of a backup or of its removal, the target of a
    /// restore.
    [[nodiscard]] std::string lockName() const;
    /// "remote:path" of what is backed up, as rclone takes it, or of where what is verified or drilled lies; a
    /// restore's target.
    [[nodiscard]] std::string outputPath() const;
    /// "remote:path" of the manifest, beside it; of a mirror's, "<job>.mirror.manifest.json" in it.
    [[nodiscard]] std::string manifestPath() const;
    /// The name of the list of a copy's files, which lies beside the manifest.
    [[nodiscard]] std::string fileListName() const;
    /// "remote:path" of what lies in destinationPath with this name; of the folder itself for an empty one.
    [[nodiscard]] std::string atDestination(const std::string& name) const;
};

Plan planRun(Job job, const Settings& settings, std::uint32_t startedByUid);
/// Of `job`, no more than what Plan::job says is used.
Plan planTask(Task task, Job job, const Settings& settings, std::uint32_t startedByUid);

nlohmann::json toJson(const Plan& plan);
/// Throws `Error` or `InvalidJob` for what is not a plan.
Plan planFromJson(const nlohmann::json& json);

} // namespace holdfast
