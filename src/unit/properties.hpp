#pragma once

#include "run/paths.hpp"
#include "run/plan.hpp"

#include <string>
#include <utility>
#include <vector>

#include <sdbus-c++/Types.h>

namespace holdfast {

using UnitProperties = std::vector<sdbus::Struct<std::string, sdbus::Variant>>;

/// Properties of `holdfast-run-<id>.service`: the design's table, the job's limits, a sandbox as tight as the source allows.
/// Pure.
UnitProperties runUnitProperties(const Plan& plan, const Paths& paths);

/// Properties of `holdfast-cleanup-<id>.service`, which settles a run that is over but was not cleaned.
UnitProperties cleanupUnitProperties(const std::string& runId, const Paths& paths);

/// Properties of `holdfast-probe-<id>.service`: a short-lived question to rclone, zfs or the file system.
UnitProperties probeUnitProperties(const std::string& probeId, const Paths& paths);

} // namespace holdfast
