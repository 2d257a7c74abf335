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
    std::vector<std::string> nested;  ///< folders that are repositories of their own, of which only the files went in
};

/// Commits the work tree as it is: managed files, ignored files out of the index, everything else in, a commit if the
/// tree has changed. Blocks; looks at `stop`. The caller has gitLockEntry() in the ledger. Throws `Error`.
CommitOutcome commitFlash(const FlashRepository& repository, const CommitOrder& order, const Stop& stop);

} // namespace holdfast
