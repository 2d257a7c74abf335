#pragma once

#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// What lies in a folder of a remote, for ListBackups and for who wants to restore: {"backups": [row…]}, rows as
/// docs/dbus.md has them. `request` has "remote", "path", and may have "job" and "run" (the beginning of an id), which
/// choose, and "limit" and "offset". `scratch` is a folder to fetch manifests into.
awaitable<nlohmann::json> listBackups(const Rclone& rclone, nlohmann::json request, std::filesystem::path scratch);

/// The answer to {"ask":"backupFolders"}: {"folders": paths below the remote}.
awaitable<nlohmann::json> listBackupFolders(const Rclone& rclone, nlohmann::json request);

} // namespace holdfast
