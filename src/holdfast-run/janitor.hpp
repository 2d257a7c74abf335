#pragma once

#include "reporter.hpp"

#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// Removes what the plan names, as far as it still is an orphan and no run that is not through with its cleanup has
/// made it. What went is in the run's metadata, as "removed". Throws `TransferError`.
awaitable<void> removeOrphans(const Plan& plan, const Paths& paths, Reporter& reporter);

/// Everything in a folder that could be an orphan: {"orphans": [row…]}, rows as docs/dbus.md has them, but with
/// "IdPart" for the run. Which of them are, knows the daemon. `request` has "remote" and "path".
awaitable<nlohmann::json> findOrphans(const Rclone& rclone, nlohmann::json request);

} // namespace holdfast
