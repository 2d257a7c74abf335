#pragma once

#include "run/manifest.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

inline constexpr const char* manifestSuffix = ".manifest.json";

/// A manifest that lies at a destination, and what it says. One that cannot be read is told of, too.
struct StoredBackup {
    std::string manifestName;
    std::optional<Manifest> manifest;
    std::string problem{}; ///< why it cannot be used, in a sentence; set if there is no manifest
};

/// Every manifest in `folder` ("remote:path", not below it), newest first, those that cannot be read last; none if
/// there is no such folder. Needs nothing but the remote. They are fetched into the empty folder `scratch`, which the
/// caller removes. Throws `TransferError`.
awaitable<std::vector<StoredBackup>> readBackups(const Rclone& rclone, std::string folder,
                                                 std::filesystem::path scratch);

/// The folders that hold backups, sorted, from the paths of all manifests below some folder; "" is that folder itself.
/// A manifest in a version is a file that was backed up, and not counted.
std::vector<std::string> foldersWithManifests(const std::vector<std::string>& manifestPaths);

/// Reads what is in a manifest's file. Besides what parseManifest() refuses, it is not used if its name is not that of
/// the backup that it tells of (somebody has swapped or renamed it), or if it names objects that do not lie beside it.
StoredBackup readBackup(const std::string& manifestName, const std::string& text);

/// Whether it is of this job; of a manifest that cannot be read, the name tells.
bool isNamedAfter(const StoredBackup& backup, const std::string& job);

/// The backup that the run made. Throws `Error` if it is not there or cannot be used.
const StoredBackup& backupOfRun(const std::vector<StoredBackup>& backups, const std::string& run);

/// Whose backups are meant by the name of a job.
struct Owner {
    std::string job;
    Machine machine;
};

/// Dated later than clocks may differ: made under a clock that was wrong, or by somebody who wants it to be the newest.
bool isOfTheFuture(USec time, USec now);

/// The owner's newest backup that is not of the future; null if there is none. Throws `Error` if that is one that
/// cannot be used.
const StoredBackup* newestOf(const std::vector<StoredBackup>& backups, const Owner& owner, USec now);

/// Why there is none: a sentence that tells of those that are there and are another machine's, or of the future.
std::string whyNoneOf(const std::vector<StoredBackup>& backups, const Owner& owner, const std::string& place);

/// The snapshot that this ZFS stream must be received upon; null if it is a full one, or no ZFS stream.
/// `baseRun` tells which backup has it, the GUIDs prove it. Throws `Error` if it is not among `backups`.
const StoredBackup* baseOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup);

/// All that is needed to restore `backup`, in the order in which it is restored: the full one first, `backup` last.
/// Throws `Error` that names the link that is missing.
std::vector<const StoredBackup*> chainOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup);

} // namespace holdfast
