#pragma once

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/backups.hpp"
#include "transfer/stream.hpp"
#include "util/asio.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// All that lies where the plan says; the manifests are fetched into the run's scratch folder.
awaitable<std::vector<StoredBackup>> backupsOfPlan(const Rclone& rclone, const Plan& plan, const Paths& paths,
                                                   Ledger& ledger);

/// How to read the stream of a backup back into `consumer`. Throws `Error` for a backup that is none, or in parts.
ReceiveSpec receiveSpec(const Plan& plan, const Manifest& manifest, std::vector<std::string> consumer);

/// What its objects take at the destination.
std::uint64_t storedSize(const Manifest& manifest);

} // namespace holdfast
