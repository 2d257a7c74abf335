#pragma once

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/backups.hpp"
#include "transfer/file_list.hpp"
#include "transfer/stream.hpp"
#include "util/asio.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// All that lies where the plan says; the manifests are fetched into the run's scratch folder.
awaitable<std::vector<StoredBackup>> backupsOfPlan(const Rclone& rclone, const Plan& plan, const Paths& paths,
                                                   Ledger& ledger);

/// Whose backups the name of the plan's job stands for.
Owner ownerOf(const Plan& plan);

/// Checks that every object of a backup is there, as checkObject() does.
awaitable<void> checkObjects(const Rclone& rclone, const Plan& plan, const Manifest& manifest, std::string hash);

/// How to read the stream of a backup back into `consumer`. Throws `Error` for a backup that is none, or in parts.
ReceiveSpec receiveSpec(const Plan& plan, const Manifest& manifest, std::vector<std::string> consumer);

/// What a copy's list says was copied. The manifest vouches for the list: its size and SHA-256 are checked. Throws
/// `Error` if they differ, `TransferError`.
awaitable<FileList> storedList(const Rclone& rclone, const Plan& plan, const Paths& paths, const Manifest& manifest);

/// rclone's flag that has it take these files only, by a file of the run's scratch folder.
std::string namesFlag(const Plan& plan, const Paths& paths, const FileList& files);

/// "remote:path" of the folder that a copy's files lie in.
std::string folderOfCopy(const Plan& plan, const Manifest& manifest);

/// What it takes at the destination, as far as it is read to restore it.
std::uint64_t storedSize(const Manifest& manifest);

} // namespace holdfast
