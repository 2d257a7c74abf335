#pragma once

#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast {

std::uint64_t totalSize(const FileList& files);

/// What to list: a local path or "remote:path".
struct Listing {
    std::string folder;
    std::vector<std::string> options{}; ///< rclone's flags: filters, what to do with links
    std::string hash{};                 ///< as rclone names it; empty: none
};

/// Lists all files below the folder; no files for one that is not there. `deadline` is the caller's: hashing may have
/// the remote read everything. Throws `TransferError`.
awaitable<FileList> listFiles(const Rclone& rclone, Listing listing, std::chrono::microseconds deadline);

/// The object that lies beside the manifest of a copy: one JSON object a line, {"path","size","hash"}, sorted by path.
std::string serialize(const FileList& files);
/// Throws `Error` for what is not a list.
FileList parseFileList(const std::string& text);

/// What is wrong with `found` if it should be `wanted`: a sentence for each file that is missing, of another size, or,
/// where both lists know it, of another hash. What is only in `found` is fine.
std::vector<std::string> differences(const FileList& wanted, const FileList& found);

} // namespace holdfast
