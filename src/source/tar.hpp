#pragma once

#include "source/source.hpp"

#include <cstdint>
#include <filesystem>

namespace holdfast {

/// What `tar` will write for a folder, as far as it can be told beforehand: exact for a folder that does not change.
std::uint64_t tarSize(const std::filesystem::path& folder, const std::string& nameInArchive);

/// `tar` of a repository's `.git`, which restores it bit for bit.
Producer tarOfRepository(const std::filesystem::path& gitFolder);

/// `tar` of checked-out files: the same commit gives the same bytes. Only the executable bit of the permissions is
/// git's, so owner and the rest are set to what `git checkout` of root would give; times are the commit's (seconds
/// since the epoch).
Producer tarOfFiles(const std::filesystem::path& folder, std::int64_t time);

/// A number that changes when what a repository's references and objects are changes. Refreshing the index (`git
/// status`) does not change it.
std::uint64_t fingerprint(const std::filesystem::path& gitFolder);

} // namespace holdfast
