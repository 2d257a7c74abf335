#pragma once

#include "source/git.hpp"
#include "util/held_path.hpp"
#include "util/time.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace holdfast {

class Stop;

/// Where a flash source's repository is, found without opening it.
struct FlashPlace {
    std::filesystem::path workTree;            ///< absolute, without symlinks
    std::filesystem::path gitFolder;           ///< workTree/.git
    bool exists = false;                       ///< false: nothing is there yet, and one may be made
    std::shared_ptr<const HeldPath> held{};    ///< the work tree
    std::shared_ptr<const HeldPath> heldGit{}; ///< gitFolder, if it exists

    /// gitFolder by what is held: here, and in a child that keeps `held`.
    [[nodiscard]] std::filesystem::path gitFolderForChild() const {
        return std::filesystem::path(held->forChild()) / ".git";
    }
};

/// Throws `Error` if the names of the work tree and of its repository no longer lead to what is held. libgit2 goes by
/// names, so this is asked before what it did is believed.
void demandInPlace(const FlashPlace& place);

/// Looks at `gitPath` ("<work tree>/.git"). Throws `Error` for a work tree that is missing, empty, unreadable or not
/// ours, and for a `.git` that is no folder of its own. Must come before opening: libgit2 calls a repository of another
/// user "not found".
FlashPlace findFlash(const std::filesystem::path& gitPath);

/// Makes a repository with branch master, which exists in `place` from then on. It is made whole in `draft`, a folder
/// in the work tree that the caller has in the ledger, and then renamed, so that half a repository is never at
/// `place.gitFolder`.
void initFlash(FlashPlace& place, const std::filesystem::path& draft);

/// A repository that was looked over and is fit to be committed to and backed up.
class FlashRepository {
  public:
    FlashRepository() = default;
    FlashRepository(git::Repository opened, std::string head)
        : handle(std::move(opened)), headTarget(std::move(head)) {}

    git::Repository handle;
    std::string headTarget; ///< the reference that a commit moves: "refs/heads/master", or "HEAD" when detached

    /// Lock files that a commit may create, absolute.
    [[nodiscard]] std::vector<std::filesystem::path> locks() const;
    [[nodiscard]] std::filesystem::path gitFolder() const { return folder(git_repository_path(handle.get())); }
    [[nodiscard]] std::filesystem::path workTree() const { return folder(git_repository_workdir(handle.get())); }

  private:
    /// libgit2's folders end in a slash.
    static std::filesystem::path folder(const char* path) { return std::filesystem::path(path).parent_path(); }
};

/// Opens and checks. Throws `Error`, each with its own sentence, for a repository that is locked, corrupt, bare, of
/// another user, in the middle of a merge, has submodules, or (`withHistory`) borrows objects from elsewhere, so that a
/// copy would not be whole. What HEAD's commit needs is looked up object by object; older history is not.
FlashRepository openFlash(const FlashPlace& place, bool withHistory, const Stop& stop);

} // namespace holdfast
