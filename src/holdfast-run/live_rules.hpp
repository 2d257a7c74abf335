#pragma once

#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// The rules of a job that depend on this machine as it is now: the remote is configured, the dataset and the script
/// are there, the schedule is one that systemd understands. `document` has passed parseJob(). Returns {"problems":
/// [{pointer, code, message}…]}.
awaitable<nlohmann::json> checkLiveRules(const Rclone& rclone, nlohmann::json document);

/// The same of many jobs that are stored already, and whether what they back up is there. Returns {"faults": {name:
/// [sentence…]}}, of those alone that cannot do what they say.
awaitable<nlohmann::json> checkStoredJobs(const Rclone& rclone, nlohmann::json documents);

} // namespace holdfast
