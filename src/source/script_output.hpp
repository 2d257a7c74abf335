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
    std::uint64_t onDisk = 0;      ///< bytes that its files and folders take; each at least a block, as on most disks
    std::uint64_t content = 0;     ///< bytes that its regular files hold
    std::uint64_t largestFile = 0; ///< bytes
    std::uint64_t entries = 0;     ///< files and folders
    bool tooDeep = false;          ///< there is more, below a path that is longer than any call takes
};
FolderUse folderUse(const std::filesystem::path& folder, const Stop& stop);

/// The most that a script may write: `asked`, but never more than nine tenths of what is free where its output lies.
std::uint64_t outputLimit(std::uint64_t asked, std::uint64_t free);

/// The folders that systemd makes for PrivateTmp= of a unit, in /tmp and /var/tmp.
std::vector<std::filesystem::path> privateTmpOf(const std::string& unit);

/// What of it a script may fill.
struct OutputLimits {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
};

/// `bytes`, and nine tenths of the files that the file system of `folder` can still hold.
OutputLimits outputLimits(std::uint64_t bytes, const std::filesystem::path& folder);

enum class Passed { Bytes, Entries, Depth };

/// Waits until what a script writes (its output and its private temporary folders) together passes one of `limits`, or
/// lies too deep to be measured and copied; says in `passed` which.
awaitable<void> untilOutputPasses(OutputLimits limits, std::filesystem::path output, std::string unit,
                                  Background& background, Passed& passed);

} // namespace holdfast
