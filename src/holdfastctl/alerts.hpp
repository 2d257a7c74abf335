#pragma once

#include "util/time.hpp"

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast::ctl {

/// What is wrong with a job, in a few words each; from the properties of its object, in the spelling of --json, and
/// `mirrorOpen`: a run of it has left its mirror half changed. `live`: a backup of it waits or is under way, so that
/// nothing is said of how the last one went. Pure.
///
/// A job is overdue if its last backup that was done ended longer ago than twice its SchedulePeriod, the time between
/// when its timer elapsed last and when it does next.
std::vector<std::string> alertsOf(const nlohmann::json& job, bool live, USec now);

} // namespace holdfast::ctl
