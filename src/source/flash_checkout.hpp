#pragma once

#include "source/flash_repository.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace holdfast {

class Stop;

/// When a commit was made, in seconds since the epoch.
std::int64_t commitTime(const FlashRepository& repository, const std::string& hash);

/// Writes the files of a commit below `folder`, which is there and empty: as they are in the repository, but for those
/// in which git has changed line endings or an identifier on their way there. These are as they lie in the work tree,
/// unless they have changed since; `flashDrive`: without their keys.
void checkOutCommit(const FlashPlace& place, const std::string& hash, bool flashDrive,
                    const std::filesystem::path& folder, const Stop& stop);

} // namespace holdfast
