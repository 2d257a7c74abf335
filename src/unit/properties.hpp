#pragma once

#include "run/paths.hpp"
#include "run/plan.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <sdbus-c++/Types.h>

namespace holdfast {

struct LedgerHeader;

using UnitProperties = std::vector<sdbus::Struct<std::string, sdbus::Variant>>;

/// Properties of `holdfast-run-<id>.service`: the design's table, the job's limits, a sandbox as tight as the task
/// allows, which follows what was asked for and authorized. It looks at rclone's configuration, and at / if something
/// is to be restored there.
UnitProperties runUnitProperties(const Plan& plan, const Paths& paths);

/// Properties of `holdfast-cleanup-<id>.service`, which settles a run that is over but was not cleaned: its sandbox.
UnitProperties cleanupUnitProperties(const Plan& plan, const Paths& paths);
/// Of a run whose plan is gone.
UnitProperties cleanupUnitProperties(const LedgerHeader& header, const Paths& paths);

/// A short-lived question to rclone or the file system, or about a source.
struct ProbeUnit {
    std::string id;
    std::filesystem::path rcloneConfig;
    SourceType source = SourceType::None; ///< whose tools it needs
    bool writes = false;                  ///< to the remote, to see whether that is possible
};

/// Properties of `holdfast-probe-<id>.service`.
UnitProperties probeUnitProperties(const ProbeUnit& probe, const Paths& paths);

} // namespace holdfast
