#pragma once

#include "util/error.hpp"
#include "util/time.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// Another git process, perhaps another run, has the repository locked.
class RepositoryLocked : public Error {
  public:
    RepositoryLocked(const std::filesystem::path& gitFolder, const std::filesystem::path& lock);
};

/// Git's `index.lock`, held for the whole of a commit so that no git command changes the index meanwhile. It says which
/// run made it, which is how a cleanup tells it from another program's. Gone when this goes.
class IndexLock {
  public:
    /// Throws RepositoryLocked.
    IndexLock(const std::filesystem::path& gitFolder, const std::string& runId);
    ~IndexLock();
    IndexLock(const IndexLock&) = delete;
    IndexLock& operator=(const IndexLock&) = delete;

  private:
    std::filesystem::path path_;
};

/// Where a run writes the new index before it takes the old one's place; libgit2 puts ".lock" behind it while it
/// writes.
std::filesystem::path stagedIndex(const std::filesystem::path& gitFolder, const std::string& runId);

/// A managed file in the repository or its work tree, replaced if its content is another one. Written beside, synced,
/// renamed; no permissions are set, because FAT has none.
void manageFile(const std::filesystem::path& path, const std::string& content, const std::string& runId);

/// What the ledger says before a commit begins; `locks` are those that libgit2 may make.
nlohmann::json gitLockEntry(const std::filesystem::path& gitFolder, const std::vector<std::filesystem::path>& locks);

/// Removes what is named for the run: its index.lock, the staged index, managed files that were not finished.
void removeOwnLocks(const std::filesystem::path& gitFolder, const std::string& runId);

/// Removes what a commit that was killed left behind: removeOwnLocks(), and libgit2's locks and half-written objects
/// that are newer than the entry (there was no lock when it was written).
void undoGitLock(const nlohmann::json& entry, const std::string& runId);

} // namespace holdfast
