#pragma once

#include "source/background.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// What lies in a folder and below. Symlinks are not followed, and what vanishes meanwhile does not count.
struct FolderUse {
    std::uint64_t onDisk = 0;      ///< bytes that its files take
    std::uint64_t content = 0;     ///< bytes that its regular files hold
    std::uint64_t largestFile = 0; ///< bytes
};
FolderUse folderUse(const std::filesystem::path& folder, const Stop& stop);

/// The most that a script may write: `asked`, but never more than nine tenths of what is free where its output lies.
std::uint64_t outputLimit(std::uint64_t asked, std::uint64_t free);

/// The folders that systemd makes for PrivateTmp= of a unit, in /tmp and /var/tmp.
std::vector<std::filesystem::path> privateTmpOf(const std::string& unit);

/// Waits until the files of a script (its output and its private temporary folders) together take more than `limit`
/// bytes.
awaitable<void> untilOutputPasses(std::uint64_t limit, std::filesystem::path output, std::string unit,
                                  Background& background);

} // namespace holdfast
