#pragma once

#include "reporter.hpp"
#include "warnings.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// Removes the job's backups that `keep` does not keep, newest first, so that no increment is ever without its base.
/// Stops at the first that cannot be removed: throws `Error`, `TransferError`. The names of those that went are in the
/// run's metadata either way, as "pruned".
awaitable<void> prune(const Plan& plan, const Keep& keep, const Paths& paths, Ledger& ledger, Reporter& reporter);

/// After a backup: what its job keeps, if it says so. A failure is told of in the metadata and the journal, since the
/// backup is none the worse for it. Nothing is removed if the run has warned that the ground has changed.
awaitable<void> pruneAfterBackup(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter,
                                 Warnings& warnings);

/// What prune() would do: {"backups": [row…]}, rows as docs/dbus.md has them. `request` has "remote", "path", "job",
/// "keep" and "provenRuns". `scratch` is a folder to fetch manifests into.
awaitable<nlohmann::json> previewPrune(const Rclone& rclone, nlohmann::json request, std::filesystem::path scratch);

} // namespace holdfast
