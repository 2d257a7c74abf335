#pragma once

#include "holdfastctl/client.hpp"

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast::ctl {

/// Whether the run makes a backup. Restores, verifications, drills and prunes are runs of a job, too.
bool backsUp(const nlohmann::json& run);

/// What the name of a job stands for where a run is meant.
enum class OfJob {
    LastBackup, ///< its last run that makes a backup, over or not
    LiveRun,    ///< the last that is not over, of any kind; else the last backup
};

/// The id of the run that a person means: an id, the name of a job, or the beginning of one id. Throws `Error`.
std::string resolveRun(Client& client, const std::string& which, OfJob meant = OfJob::LastBackup);

/// As resolveRun(), of an id or the beginning of one; nothing if this machine knows of no such run. Throws `Error` if
/// there is more than one.
std::optional<std::string> runWithId(Client& client, const std::string& which);

/// The job's newest run that has made a backup, by what this machine knows; the job itself may be gone.
std::optional<nlohmann::json> lastDoneBackup(Client& client, const std::string& job);

/// The run that has begun to change the job's mirror and was not done with it; nothing if the mirror is whole, or the
/// job has none. No backup can be restored from a mirror that is not whole.
std::optional<nlohmann::json> runThatLeftMirrorOpen(Client& client, const std::string& job);

} // namespace holdfast::ctl
