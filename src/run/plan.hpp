#pragma once

#include "job/job.hpp"
#include "job/settings.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// All that a worker needs to know of its run, fully resolved when the run is asked for: a job that is edited or
/// removed afterwards does not change a run that waits. Valid by construction: made by planRun() or read from our own
/// file.
struct Plan {
    std::string id;
    Job job;
    Settings settings;
    std::uint32_t startedByUid = 0;
    USec queuedAt = 0;
    USec startedAt = 0; ///< when the unit was asked for; 0 while the run waits
    std::string host;
    std::string objectName; ///< of a stream: "<job>-<UTC>-<id8>.tar.zst", below the job's destinationPath

    /// "streaming" or "copy", the seed's two kinds.
    [[nodiscard]] std::string kind() const { return job.streams() ? "streaming" : "copy"; }
    /// Path of the object below the remote's root: destinationPath and objectName.
    [[nodiscard]] std::string objectPath() const;
    /// The manifest beside it.
    [[nodiscard]] std::string manifestPath() const { return objectPath() + ".manifest.json"; }
    /// "remote:path/of/object", as rclone takes it.
    [[nodiscard]] std::string outputPath() const;
};

Plan planRun(Job job, const Settings& settings, std::uint32_t startedByUid);

nlohmann::json toJson(const Plan& plan);
/// Throws `Error` or `InvalidJob` for what is not a plan.
Plan planFromJson(const nlohmann::json& json);

} // namespace holdfast
