#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// A file system, or a part of one, where it is seen.
struct Mount {
    std::string device;         ///< "8:1": which file system it is
    std::filesystem::path root; ///< the part of it that is seen
    std::filesystem::path at;   ///< where
    std::string type;           ///< "ext4", "fuse.sshfs"
};

/// What proc(5) has as /proc/self/mountinfo; lines of another form are passed over.
std::vector<Mount> parseMounts(std::string_view mountinfo);

/// What is mounted for this process. Throws `std::system_error`.
std::vector<Mount> currentMounts();

/// Whether `path` is `folder` or lies below it, by their names.
bool isWithin(const std::filesystem::path& path, const std::filesystem::path& folder);

/// Whether who walks `folder` comes by `path`, by whatever name: through a bind mount, or a part of a file system that
/// is mounted twice. Both absolute and without symlinks. `oneFileSystem`: other file systems are not walked into.
bool isReachedFrom(const std::filesystem::path& folder, const std::filesystem::path& path,
                   const std::vector<Mount>& mounts, bool oneFileSystem);

} // namespace holdfast
