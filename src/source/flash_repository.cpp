#include "source/flash_repository.hpp"

#include "source/background.hpp"
#include "source/git_lock.hpp"
#include "util/file.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t maxSmallFile = 1024 * 1024;

std::string userName(uid_t uid) {
    const auto* entry = ::getpwuid(uid);
    return entry ? entry->pw_name : fmt::format("user {}", uid);
}

std::shared_ptr<const HeldPath> holdWorkTree(const fs::path& folder) {
    try {
        auto held = std::make_shared<const HeldPath>(hold(folder, Owners::Any));
        if (held->isFolder()) return held;
    } catch (const NoSuchPath&) {
        throw Error(
            fmt::format("The folder {} does not exist. Is the drive mounted, and gitPath right?", folder.string()));
    }
    throw Error(fmt::format("{} is not a folder, so it cannot be a work tree. Correct gitPath.", folder.string()));
}

std::shared_ptr<const HeldPath> holdRepository(const FlashPlace& place) {
    auto held = place.held->below(".git");
    return held ? std::make_shared<const HeldPath>(std::move(*held)) : nullptr;
}

bool leadsTo(const fs::path& path, const HeldPath& held) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && info.st_dev == held.status().st_dev &&
           info.st_ino == held.status().st_ino;
}

bool isEmptyFolder(const fs::path& folder) {
    std::error_code failed;
    const bool empty = fs::is_empty(folder, failed);
    if (failed) {
        throw Error(fmt::format("The folder {} cannot be read: {}. Holdfast's run must be allowed to read it.",
                                folder.string(), failed.message()));
    }
    return empty;
}

[[noreturn]] void throwNotOurs(const fs::path& path, uid_t owner) {
    throw Error(fmt::format(
        "The repository {} belongs to {}, not to {}, who makes the backup, and git refuses such. Give it to {} with "
        "chown, or name its work tree as safe.directory in /etc/gitconfig.",
        path.string(), userName(owner), userName(::geteuid()), userName(::geteuid())));
}

struct stat lookAt(const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) throwErrno("look at " + path.string());
    return info;
}

/// Whether there is a repository; nothing may be made over anything else that is there.
bool holdsRepository(const fs::path& gitFolder) {
    struct stat info {};
    if (::lstat(gitFolder.c_str(), &info) < 0) {
        if (errno == ENOENT) return false;
        throw Error(fmt::format("{} cannot be read: {}.", gitFolder.string(), std::generic_category().message(errno)));
    }
    if (S_ISLNK(info.st_mode)) {
        throw Error(
            fmt::format("{} is a symbolic link, so a backup of it would hold nothing. Set gitPath to where it leads.",
                        gitFolder.string()));
    }
    if (S_ISREG(info.st_mode)) {
        throw Error(fmt::format(
            "{} is a file that points to a repository elsewhere: a linked work tree or a submodule. Set gitPath "
            "to the .git folder of the repository itself.",
            gitFolder.string()));
    }
    if (!S_ISDIR(info.st_mode)) throw Error(fmt::format("{} is not a folder. Correct gitPath.", gitFolder.string()));
    return !isEmptyFolder(gitFolder);
}

std::string corrupt(const fs::path& gitFolder, const std::string& what) {
    return fmt::format("The repository {} is corrupt: {}. Look at it with git fsck, or restore it from a backup.",
                       gitFolder.string(), what);
}

/// What to do about a format of git's own that libgit2, whose words `reason` is, does not know.
std::string adviceOnKind(const std::string& reason) {
    const auto says = [&](const char* word) { return reason.find(word) != std::string::npos; };
    if (says("'link'")) return "its index is split, run \"git update-index --no-split-index\" in it";
    if (says("'sdir'")) return "its index is sparse, run \"git sparse-checkout disable\" in it";
    if (says("objectformat")) {
        return "its objects are named by SHA-256; back its files up with a job of the type none, or make a new "
               "repository with the usual object format";
    }
    if (says("worktreeconfig")) {
        return "it has a configuration for each work tree; move what is in .git/config.worktree to .git/config and run "
               "\"git config --unset extensions.worktreeConfig\"";
    }
    if (says("partialclone")) {
        return "it is a partial clone, so not all of its objects are here; make a full clone in its place";
    }
    return "back its files up with a job of the type none";
}

[[noreturn]] void throwUnreadable(const fs::path& gitFolder, const std::string& reason) {
    if (reason.find("unsupported") == std::string::npos) throw Error(corrupt(gitFolder, reason));
    throw Error(fmt::format("The repository {} is of a kind that Holdfast cannot read ({}): {}.", gitFolder.string(),
                            reason, adviceOnKind(reason)));
}

/// Runs a look-up whose failure means that the repository is corrupt.
template<typename Call>
auto sound(const fs::path& gitFolder, Call call) {
    try {
        return call();
    } catch (const git::Failure& e) {
        std::string reason = e.what();
        reason.pop_back();
        throwUnreadable(gitFolder, reason);
    }
}

git::Repository openRepository(const FlashPlace& place) {
    git_repository* raw = nullptr;
    const int result = git_repository_open_ext(&raw, place.gitFolder.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
    git::Repository repository(raw);
    if (result == 0) return repository;

    for (const auto& path : {place.gitFolder, place.workTree}) {
        const auto owner = lookAt(path).st_uid;
        if (owner != ::geteuid() && (result == GIT_ENOTFOUND || result == GIT_EOWNER)) throwNotOurs(path, owner);
    }
    if (::access((place.gitFolder / "HEAD").c_str(), R_OK) < 0 && errno == EACCES) {
        throw Error(fmt::format("The repository {} may not be read by {}, who makes the backup.",
                                place.gitFolder.string(), userName(::geteuid())));
    }
    throwUnreadable(place.gitFolder,
                    result == GIT_ENOTFOUND ? "HEAD, objects or refs is missing in it" : git::lastMessage());
}

void refuseOtherLayouts(const FlashPlace& place, git_repository* repository) {
    const auto name = place.gitFolder.string();
    if (git_repository_is_bare(repository)) {
        throw Error(fmt::format(
            "The repository {} is bare: it has no work tree whose changes could be committed. Set core.bare to "
            "false in it if it should have one.",
            name));
    }
    std::error_code failed;
    if (!fs::equivalent(git_repository_workdir(repository), place.workTree, failed)) {
        throw Error(fmt::format(
            "The repository {} has its work tree elsewhere (core.worktree is {}). Holdfast commits only the "
            "folder that .git lies in.",
            name, git_repository_workdir(repository)));
    }
    if (git_repository_is_worktree(repository) ||
        !fs::equivalent(git_repository_commondir(repository), place.gitFolder, failed)) {
        throw Error(fmt::format("{} is a linked work tree of the repository {}. Set gitPath to that one.", name,
                                git_repository_commondir(repository)));
    }
}

void refuseUnfinished(const fs::path& gitFolder, git_repository* repository) {
    if (git_repository_state(repository) == GIT_REPOSITORY_STATE_NONE) return;
    throw Error(fmt::format(
        "The repository {} is in the middle of a merge, rebase, cherry-pick, revert or bisect. Finish or abort it; a "
        "commit now would lose track of it.",
        gitFolder.string()));
}

void refuseLocked(const fs::path& gitFolder, const std::vector<fs::path>& locks) {
    for (const auto& lock : locks) {
        std::error_code failed;
        if (fs::exists(fs::symlink_status(lock, failed))) throw RepositoryLocked(gitFolder, lock);
    }
}

void refuseBorrowed(const fs::path& gitFolder) {
    const auto alternates = gitFolder / "objects" / "info" / "alternates";
    if (readFileIfThere(alternates, maxSmallFile).value_or("").find_first_not_of(" \t\r\n") != std::string::npos) {
        throw Error(fmt::format(
            "The repository {} borrows objects from another one ({}), so a copy of it would not be whole. Run "
            "\"git repack -a -d\" and remove that file, or set includeGitHistory to false.",
            gitFolder.string(), alternates.string()));
    }
    for (const auto* part : {"HEAD", "config", "objects", "refs"}) {
        if (!fs::is_symlink(gitFolder / part)) continue;
        throw Error(fmt::format(
            "{} is a symbolic link, so a copy of the repository would not be whole. Put what it leads to in "
            "its place, or set includeGitHistory to false.",
            (gitFolder / part).string()));
    }
}

[[noreturn]] void refuseSubmodules(const FlashPlace& place, const std::string& found) {
    throw Error(fmt::format(
        "The repository {} has submodules ({}), which are not supported: their files would not be in the backup.",
        place.gitFolder.string(), found));
}

/// Looks for entries that adding all files would get wrong.
void checkIndex(const FlashPlace& place, git_index* index) {
    const auto name = place.gitFolder.string();
    if (git_index_has_conflicts(index)) {
        throw Error(fmt::format("The repository {} has files with unresolved conflicts. Resolve them first.", name));
    }
    std::error_code failed;
    if (fs::is_regular_file(place.workTree / ".gitmodules", failed)) refuseSubmodules(place, ".gitmodules");
    for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
        const auto* entry = git_index_get_byindex(index, i);
        if (entry->mode == GIT_FILEMODE_COMMIT) refuseSubmodules(place, entry->path);
        if ((entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) == 0) continue;
        if (fs::exists(fs::symlink_status(place.workTree / entry->path, failed))) continue;
        throw Error(fmt::format("The repository {} is a sparse checkout ({} is not in its work tree), which is not "
                                "supported: the file would "
                                "be committed as removed. Run \"git sparse-checkout disable\".",
                                name, entry->path));
    }
}

std::string headTarget(git_repository* repository) {
    const auto head = git::own<git::Reference>(&git_reference_lookup, "HEAD cannot be read", repository, "HEAD");
    const char* target = git_reference_symbolic_target(head.get());
    return target ? target : "HEAD";
}

struct TreeWalk {
    git_odb* odb;
    const Stop& stop;
    std::string missing;
    bool stopped = false;
};

int checkTreeEntry(const char* folder, const git_tree_entry* entry, void* payload) noexcept {
    auto& walk = *static_cast<TreeWalk*>(payload);
    walk.stopped = walk.stop.requested();
    if (walk.stopped) return GIT_EUSER;
    if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB) return 0;
    std::size_t size = 0;
    auto type = GIT_OBJECT_ANY;
    if (git_odb_read_header(&size, &type, walk.odb, git_tree_entry_id(entry)) == 0) return 0;
    walk.missing = std::string(folder) + git_tree_entry_name(entry);
    return GIT_EUSER;
}

void checkTree(git_repository* repository, const git_oid& commitId, const Stop& stop) {
    const auto commit =
        git::own<git::Commit>(&git_commit_lookup, "HEAD's commit cannot be read", repository, &commitId);
    const auto tree = git::own<git::Tree>(&git_commit_tree, "the files of HEAD's commit cannot be read", commit.get());
    const auto odb = git::own<git::Odb>(&git_repository_odb, "the objects cannot be read", repository);
    TreeWalk walk{odb.get(), stop, {}};
    const int result = git_tree_walk(tree.get(), GIT_TREEWALK_PRE, checkTreeEntry, &walk);
    if (walk.stopped) stop.check();
    if (!walk.missing.empty()) {
        git::check(result, fmt::format("the committed file {} cannot be read", walk.missing));
    }
    git::check(result, "the files of HEAD's commit cannot be read");
}

/// Every reference leads to an object that is there.
void checkReferences(git_repository* repository) {
    const auto odb = git::own<git::Odb>(&git_repository_odb, "the objects cannot be read", repository);
    const auto all =
        git::own<git::ReferenceIterator>(&git_reference_iterator_new, "the references cannot be read", repository);
    git_reference* raw = nullptr;
    int result = 0;
    while ((result = git_reference_next(&raw, all.get())) == 0) {
        const git::Reference reference(raw);
        const auto* id = git_reference_target(raw);
        if (!id) continue;
        std::size_t size = 0;
        auto type = GIT_OBJECT_ANY;
        git::check(git_odb_read_header(&size, &type, odb.get(), id),
                   fmt::format("what the reference {} leads to cannot be read", git_reference_name(raw)));
    }
    if (result != GIT_ITEROVER) git::check(result, "the references cannot be read");
}

void checkHead(git_repository* repository, const Stop& stop) {
    git_oid id;
    const int result = git_reference_name_to_id(&id, repository, "HEAD");
    if (result == GIT_ENOTFOUND && git_repository_head_unborn(repository) == 1) return;
    git::check(result, "HEAD cannot be read");
    checkTree(repository, id, stop);
}

} // namespace

FlashPlace findFlash(const fs::path& gitPath) {
    if (gitPath.filename() != ".git" || !gitPath.is_absolute()) {
        throw Error(fmt::format("gitPath is {}; it must be absolute and end in \"/.git\".", gitPath.string()));
    }
    FlashPlace place;
    place.held = holdWorkTree(gitPath.parent_path());
    place.workTree = place.held->real();
    place.gitFolder = place.workTree / ".git";
    place.exists = holdsRepository(place.gitFolder);
    if (place.exists) {
        place.heldGit = holdRepository(place);
        return place;
    }

    const auto owner = lookAt(place.workTree).st_uid;
    if (owner != ::geteuid()) throwNotOurs(place.workTree, owner);
    for (const auto& entry : fs::directory_iterator(place.workTree)) {
        if (entry.path() != place.gitFolder) return place;
    }
    throw Error(fmt::format("There is nothing to back up in {}: the folder is empty. Is the drive mounted?",
                            place.workTree.string()));
}

void demandInPlace(const FlashPlace& place) {
    if (leadsTo(place.workTree, *place.held) && place.heldGit && leadsTo(place.gitFolder, *place.heldGit)) return;
    throw Error(fmt::format("{} was exchanged for another folder while it was backed up. Find out who renames it, and "
                            "start the backup again.",
                            place.gitFolder.string()));
}

void initFlash(FlashPlace& place, const fs::path& draft) {
    git::useLibrary();
    git_repository_init_options options;
    git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
    options.initial_head = "master";
    git::own<git::Repository>(&git_repository_init_ext,
                              fmt::format("A repository cannot be made in {}", place.workTree.string()), draft.c_str(),
                              &options);
    fs::rename(draft / ".git", place.gitFolder);
    fs::remove(draft);
    place.heldGit = holdRepository(place);
    place.exists = true;
}

std::vector<fs::path> FlashRepository::locks() const {
    std::vector<fs::path> locks;
    for (const auto& name :
         {std::string("index"), std::string("HEAD"), std::string("config"), std::string("packed-refs"), headTarget}) {
        if (name == headTarget && name == "HEAD") continue;
        locks.push_back(gitFolder() / (name + ".lock"));
    }
    return locks;
}

FlashRepository openFlash(const FlashPlace& place, bool withHistory, const Stop& stop) {
    git::useLibrary();
    FlashRepository repository(openRepository(place), {});
    demandInPlace(place);
    auto* handle = repository.handle.get();
    refuseOtherLayouts(place, handle);
    if (withHistory) refuseBorrowed(place.gitFolder);
    repository.headTarget = sound(place.gitFolder, [&] { return headTarget(handle); });
    refuseLocked(place.gitFolder, repository.locks());
    refuseUnfinished(place.gitFolder, handle);
    sound(place.gitFolder, [&] {
        checkHead(handle, stop);
        if (withHistory) checkReferences(handle);
    });
    const auto index = sound(place.gitFolder, [&] {
        return git::own<git::Index>(&git_repository_index, "its index cannot be read", handle);
    });
    checkIndex(place, index.get());
    return repository;
}

} // namespace holdfast
