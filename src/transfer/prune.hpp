#pragma once

#include "run/retention.hpp"
#include "transfer/backups.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// The backups of a folder as retention sees them, in the same order.
std::vector<Version> versionsOf(const std::vector<StoredBackup>& backups, const Owner& owner, USec now);

/// Removes the backup from its folder ("remote:path"): first its manifest, so that what is left is no backup any more,
/// whenever it ends. Throws `Error` for one whose names are not those of a run's own objects; `TransferError`.
awaitable<void> removeBackup(const Rclone& rclone, std::string folder, StoredBackup backup);

} // namespace holdfast
