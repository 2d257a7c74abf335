#pragma once

#include "source/flash_repository.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

class Stop;

struct CommitOrder {
    std::string runId;
    std::string message;
    bool flashDrive = false;      ///< the profile "unraid": its managed files, excludes and key filter
    std::filesystem::path varIni; ///< where a flash drive's server has its name
    bool ownRepository = false;   ///< Holdfast has just made it, so its identity is ours to set
};

struct CommitOutcome {
    std::string hash;                 ///< HEAD, committed now or before
    bool committed = false;           ///< false: nothing had changed
    std::vector<std::string> dropped; ///< tracked files that are now ignored: out of the repository, still on disk
};

/// Commits the work tree as it is: managed files, ignored files out of the index, everything else in, a commit if the
/// tree has changed. Blocks; looks at `stop`. The caller has gitLockEntry() in the ledger. Throws `Error`.
CommitOutcome commitFlash(const FlashRepository& repository, const CommitOrder& order, const Stop& stop);

/// When a commit was made, in seconds since the epoch.
std::int64_t commitTime(const FlashRepository& repository, const std::string& hash);

/// Writes the files of a commit, as they are in the repository (no filters), below `folder`, which is there and empty.
void checkOutCommit(const FlashPlace& place, const std::string& hash, const std::filesystem::path& folder,
                    const Stop& stop);

} // namespace holdfast
