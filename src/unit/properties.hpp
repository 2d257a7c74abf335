#pragma once

#include "run/paths.hpp"
#include "run/plan.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <sdbus-c++/Types.h>

namespace holdfast {

using UnitProperties = std::vector<sdbus::Struct<std::string, sdbus::Variant>>;

/// Properties of `holdfast-run-<id>.service`: the design's table, the job's limits, a sandbox as tight as the source
/// allows. Pure.
UnitProperties runUnitProperties(const Plan& plan, const Paths& paths);

/// Properties of `holdfast-cleanup-<id>.service`, which settles a run that is over but was not cleaned. Without its
/// plan nobody knows where its things lie, and the sandbox is wider.
UnitProperties cleanupUnitProperties(const std::string& runId, const Plan* plan, const Paths& paths);

/// Properties of `holdfast-probe-<id>.service`: a short-lived question to rclone or the file system, or about a source.
UnitProperties probeUnitProperties(const std::string& probeId, const std::filesystem::path& rcloneConfig,
                                   SourceType source, const Paths& paths);

} // namespace holdfast
