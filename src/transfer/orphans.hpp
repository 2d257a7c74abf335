#pragma once

#include "run/run_name.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// What a run has put into a folder of a remote and is part of no backup, since there is no manifest to it.
struct Orphan {
    std::string name;
    RunName run; ///< as the name tells
    bool folder = false;
    bool pending = false;   ///< an upload in parts that has not ended
    std::uint64_t size = 0; ///< of a file
};

/// Which entries of a folder are orphans of runs that were queued before `olderThan`. A manifest that cannot be read
/// speaks for its objects all the same, but not for an upload that never ended: that was another attempt's. Pure.
std::vector<Orphan> orphansAmong(const std::vector<FolderEntry>& entries, USec olderThan);

/// What lies in the folder ("remote:path"), and what is being uploaded to it as far as the remote tells. Throws
/// `TransferError`.
awaitable<std::vector<FolderEntry>> listAll(const Rclone& rclone, std::string folder);

/// Removes it from `folder` ("remote:path"). Throws `TransferError`.
awaitable<void> removeOrphan(const Rclone& rclone, std::string folder, Orphan orphan);

} // namespace holdfast
