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
    std::uint64_t size = 0; ///< of a file
};

/// Which entries of a folder are orphans of runs that were queued before `olderThan`. A manifest that cannot be read
/// speaks for its objects all the same. Pure.
std::vector<Orphan> orphansAmong(const std::vector<FolderEntry>& entries, USec olderThan);

/// Removes it from `folder` ("remote:path"). Throws `TransferError`.
awaitable<void> removeOrphan(const Rclone& rclone, std::string folder, Orphan orphan);

} // namespace holdfast
