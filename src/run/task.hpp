#pragma once

#include "job/job.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// What a run does. This one needs no more than its job.
struct BackupTask {};

/// Brings one backup back, with all that it hangs on.
struct RestoreTask {
    std::string backup;             ///< id of the run that made it
    std::string target;             ///< a dataset for a ZFS stream, else the absolute path of a folder
    std::string format;             ///< what it was authorized for (formatOf()); empty in an old plan
    bool force = false;             ///< what is at the target is moved aside, once the backup has come back whole
    std::vector<std::string> paths; ///< only these members of an archive or files of a copy; empty: all

    bool intoVolumes = false;         ///< of containers; `target` then is for people
    std::vector<std::string> volumes; ///< "NAME" or "NAME:OTHER" (into that one), of a docker backup; empty: all
    std::string engineSocket;         ///< empty: the first that is there
};

/// Checks whether backups can be restored.
struct VerifyTask {
    std::string backup; ///< id of the run that made it; empty: all of the job's
    bool deep = false;  ///< reads all of it back; else only looks at sizes, and at the hashes that the remote keeps
};

/// Proves the job's newest backup: restores it, with all that it hangs on, to scratch, compares it and removes it.
struct DrillTask {
    bool deep = true;          ///< else it is only looked at, as a verification does that is not deep
    std::uint64_t maxSize = 0; ///< most bytes to restore; 0: as many as there is room for
};

/// Removes the backups of its job that `keep` does not keep.
struct PruneTask {
    Keep keep;
};

/// Removes what unfinished runs have left at a remote.
struct JanitorTask {
    std::vector<std::string> names; ///< of objects and folders, as FindOrphans told of them
    USec olderThan = 0;             ///< begun before that time
};

using Task = std::variant<BackupTask, RestoreTask, VerifyTask, DrillTask, PruneTask, JanitorTask>;

nlohmann::json toJson(const Keep& keep);
/// Throws `nlohmann::json::exception`.
Keep keepFromJson(const nlohmann::json& json);

nlohmann::json toJson(const Task& task);
/// Throws `Error` or `nlohmann::json::exception` for what is not a task.
Task taskFromJson(const nlohmann::json& json);

} // namespace holdfast
