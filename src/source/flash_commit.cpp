#include "source/flash_commit.hpp"

#include "source/background.hpp"
#include "source/flash_profile.hpp"
#include "source/git_lock.hpp"
#include "source/key_filter.hpp"
#include "source/work_tree.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <git2/sys/repository.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr auto robotName = "gitbot";
constexpr auto robotEmail = "gitbot@unraid.net";
constexpr std::size_t maxManaged = 16 * 1024 * 1024;

/// Files that vanish while they are added make libgit2 fail; the next try does not see them.
constexpr int addAttempts = 3;

/// Everything written to the file system so far is on the disk. Once before and once after a reference moves costs less
/// than syncing every object, and a power cut still leaves a repository that is whole.
void syncFileSystem(const fs::path& folder) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::syncfs(fd.get()) < 0) throwErrno("sync " + folder.string());
}

/// Whether the file system takes names that differ only in case for the same, as FAT does.
bool ignoresCase(const fs::path& gitFolder) {
    std::error_code failed;
    return fs::equivalent(gitFolder / "HEAD", gitFolder / "hEaD", failed);
}

void setIfAbsent(git_config* config, const char* name, const char* value) {
    git_config_entry* entry = nullptr;
    const int found = git_config_get_entry(&entry, config, name);
    git_config_entry_free(entry);
    if (found == GIT_ENOTFOUND)
        git::check(git_config_set_string(config, name, value), "The git configuration cannot be set");
    else
        git::check(found, "The git configuration cannot be read");
}

/// Only the repository's own file is looked at and written, and a user's settings stay.
void manageConfig(const FlashRepository& repository, bool flashDrive) {
    const auto all =
        git::own<git::Config>(&git_repository_config, "The git configuration cannot be read", repository.handle.get());
    const auto local = git::own<git::Config>(&git_config_open_level, "The git configuration cannot be read", all.get(),
                                             GIT_CONFIG_LEVEL_LOCAL);
    setIfAbsent(local.get(), "user.name", robotName);
    setIfAbsent(local.get(), "user.email", robotEmail);
    if (!flashDrive || !ignoresCase(repository.gitFolder())) return;
    int set = 0;
    if (git_config_get_bool(&set, local.get(), "core.ignorecase") == 0 && set) return;
    git::check(git_config_set_bool(local.get(), "core.ignorecase", 1), "The git configuration cannot be set");
}

std::string content(const fs::path& path) { return readFileIfThere(path, maxManaged).value_or(""); }

void manageFlashDrive(const FlashRepository& repository, const CommitOrder& order) {
    const auto git = repository.gitFolder();
    const auto workTree = repository.workTree();
    const auto manage = [&](const fs::path& path, const std::string& text) { manageFile(path, text, order.runId); };

    manage(git / "description", flashDescription(order.varIni));
    manage(workTree / ".gitattributes", flashAttributes(content(workTree / ".gitattributes")));
    manage(git / "info" / "attributes", flashInfoAttributes(content(git / "info" / "attributes")));
    manage(git / "info" / "exclude", flashExcludes(content(git / "info" / "exclude"), oversizeFiles(workTree)));
}

/// The new index is built in a file of our own, beginning with the old one's content and time (by which git tells which
/// of its entries it must not trust), and replaces the old one in one step.
class StagedIndex {
  public:
    StagedIndex(const FlashRepository& repository, const std::string& runId)
        : real_(repository.gitFolder() / "index"), staged_(stagedIndex(repository.gitFolder(), runId)) {
        if (fs::exists(real_)) copyOld();
        index_ = git::own<git::Index>(&git_index_open, "The git index cannot be read", staged_.c_str());
        git::check(git_repository_set_index(repository.handle.get(), index_.get()), "The git index cannot be used");
    }
    ~StagedIndex() {
        std::error_code ignored;
        fs::remove(staged_, ignored);
    }
    StagedIndex(const StagedIndex&) = delete;
    StagedIndex& operator=(const StagedIndex&) = delete;

    [[nodiscard]] git_index* get() const { return index_.get(); }

    void replaceReal() {
        git::check(git_index_write(index_.get()), "The git index cannot be written");
        fs::rename(staged_, real_);
    }

  private:
    void copyOld() {
        fs::copy_file(real_, staged_, fs::copy_options::overwrite_existing);
        struct stat info {};
        if (::stat(real_.c_str(), &info) < 0) throwErrno("look at " + real_.string());
        const struct timespec times[2] = {info.st_atim, info.st_mtim};
        if (::utimensat(AT_FDCWD, staged_.c_str(), times, 0) < 0) throwErrno("set the time of " + staged_.string());
    }

    fs::path real_, staged_;
    git::Index index_;
};

struct Adding {
    FilterScope& scope;
    const fs::path workTree;
    std::size_t changes = 0;
    std::vector<std::string> nested{}; ///< repositories in the work tree, of which libgit2 would add but a reference
};

bool isOversize(const fs::path& file) {
    struct stat info {};
    return ::lstat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           static_cast<std::uint64_t>(info.st_size) > largestFlashFile;
}

/// Asked by libgit2 about each file that differs from the index.
int mayAdd(const char* path, const char*, void* payload) noexcept {
    constexpr int add = 0;
    constexpr int leave = 1;
    auto& adding = *static_cast<Adding*>(payload);
    try {
        adding.scope.stop().check();
        if (std::string_view(path).ends_with('/') || fs::exists(fs::symlink_status(adding.workTree / path / ".git"))) {
            adding.nested.emplace_back(path);
            return leave;
        }
        if (adding.scope.flashDrive() && isOversize(adding.workTree / path)) return leave;
        ++adding.changes;
        return add;
    } catch (...) {
        return adding.scope.keep(std::current_exception());
    }
}

/// Runs a call into libgit2 that may call us back.
void checkCalledBack(FilterScope& scope, int result, const std::string& what) {
    scope.rethrow();
    git::check(result, what);
}

class Committer {
  public:
    /// `nested`: folders of the work tree that are repositories of their own.
    Committer(const FlashRepository& repository, const CommitOrder& order, std::vector<std::string> nested,
              const Stop& stop)
        : repository_(repository), order_(order), nested_(std::move(nested)), scope_(order.flashDrive, stop),
          index_(repository, order.runId) {}

    CommitOutcome run() {
        forgetHidingBits();
        dropIgnored();
        if (order_.flashDrive) addKeyFiles();
        addAll();
        refuseEmpty();
        commit();
        tellNested();
        return std::move(outcome_);
    }

  private:
    [[nodiscard]] git_repository* handle() const { return repository_.handle.get(); }
    [[nodiscard]] std::string name() const { return repository_.workTree().string(); }

    [[nodiscard]] bool isNowIgnored(const char* path) const {
        int ignored = 0;
        git::check(git_ignore_path_is_ignored(&ignored, handle(), path), "The ignore rules cannot be read");
        return ignored || (order_.flashDrive && isOversize(repository_.workTree() / path));
    }

    /// What lies in the work tree is what is backed up, whatever git was told not to look at.
    void forgetHidingBits() {
        for (std::size_t i = 0; i < git_index_entrycount(index_.get()); ++i) {
            const auto* entry = git_index_get_byindex(index_.get(), i);
            const Hiding bits{entry->flags & GIT_INDEX_ENTRY_VALID,
                              entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE};
            if (bits.valid != 0 || bits.skip != 0) hiding_.emplace(entry->path, bits);
        }
        for (const auto& [path, bits] : hiding_) setHidingBits(path, {});
    }

    /// They are the user's, and hold for git's own commands.
    void restoreHidingBits() {
        for (const auto& [path, bits] : hiding_) setHidingBits(path, bits);
    }

    struct Hiding {
        int valid = 0; ///< "assume unchanged"
        int skip = 0;  ///< "skip the work tree"
    };

    void setHidingBits(const std::string& path, const Hiding& bits) {
        const auto* found = git_index_get_bypath(index_.get(), path.c_str(), 0);
        if (!found) return;
        auto entry = *found;
        entry.path = path.c_str();
        entry.flags = static_cast<std::uint16_t>((entry.flags & ~GIT_INDEX_ENTRY_VALID) | bits.valid);
        entry.flags_extended =
            static_cast<std::uint16_t>((entry.flags_extended & ~GIT_INDEX_ENTRY_SKIP_WORKTREE) | bits.skip);
        git::check(git_index_add(index_.get(), &entry), "The git index cannot be changed");
    }

    void dropIgnored() {
        for (std::size_t i = 0; i < git_index_entrycount(index_.get()); ++i) {
            scope_.stop().check();
            const char* path = git_index_get_byindex(index_.get(), i)->path;
            if (isNowIgnored(path)) outcome_.dropped.emplace_back(path);
        }
        for (const auto& path : outcome_.dropped) {
            git::check(git_index_remove(index_.get(), path.c_str(), 0), "The git index cannot be changed");
        }
        changed_ = !outcome_.dropped.empty();
    }

    /// Files that may hold keys go through the filter again even when they have not changed: they may have been
    /// committed before there was a filter.
    void addKeyFiles() {
        std::vector<std::string> paths;
        for (std::size_t i = 0; i < git_index_entrycount(index_.get()); ++i) {
            const auto* entry = git_index_get_byindex(index_.get(), i);
            if (mayHoldKeys(entry->path)) paths.emplace_back(entry->path);
        }
        for (const auto& path : paths) {
            if (!fs::is_regular_file(fs::symlink_status(repository_.workTree() / path))) continue;
            const auto before = git_index_get_bypath(index_.get(), path.c_str(), 0)->id;
            checkCalledBack(scope_, git_index_add_bypath(index_.get(), path.c_str()),
                            fmt::format("The file {} cannot be added", path));
            const auto& after = git_index_get_bypath(index_.get(), path.c_str(), 0)->id;
            changed_ = changed_ || !git_oid_equal(&before, &after);
        }
    }

    void addAll() {
        const auto what = fmt::format("The files in {} cannot be added to the repository", name());
        for (int attempt = 1;; ++attempt) {
            Adding adding{scope_, repository_.workTree()};
            const int result = git_index_add_all(index_.get(), nullptr, GIT_INDEX_ADD_DEFAULT, mayAdd, &adding);
            changed_ = changed_ || adding.changes > 0;
            scope_.rethrow();
            if (result == GIT_ENOTFOUND && attempt < addAttempts) continue;
            git::check(result, what);
            for (const auto& folder : adding.nested) addNested(folder);
            return;
        }
    }

    /// The files of a repository in the work tree, as those of any folder. Once they are in the index, libgit2 looks
    /// into the folder by itself.
    void addNested(const std::string& folder) {
        const auto top = repository_.workTree() / folder;
        std::error_code failed;
        for (fs::recursive_directory_iterator at(top, failed), last; !failed && at != last; at.increment(failed)) {
            scope_.stop().check();
            const auto path = at->path().lexically_relative(repository_.workTree()).string();
            std::error_code vanished;
            const auto type = at->symlink_status(vanished).type();
            if (at->path().filename() == ".git" || isNowIgnored(path.c_str())) {
                at.disable_recursion_pending();
            } else if (type == fs::file_type::regular || type == fs::file_type::symlink) {
                checkCalledBack(scope_, git_index_add_bypath(index_.get(), path.c_str()),
                                fmt::format("The file {} cannot be added", path));
                changed_ = true;
            }
        }
        if (failed) throw std::system_error(failed, "list " + top.string());
    }

    /// Of those that are not ignored.
    void tellNested() {
        std::copy_if(nested_.begin(), nested_.end(), std::back_inserter(outcome_.nested),
                     [&](const std::string& folder) {
                         std::size_t first = 0;
                         return git_index_find_prefix(&first, index_.get(), (folder + "/").c_str()) == 0;
                     });
    }

    /// By mistake, as a rule: an ignore rule that is too wide, or a drive that is not mounted.
    void refuseEmpty() {
        if (git_index_entrycount(index_.get()) > 0) return;
        if (git_repository_head_unborn(handle()) == 1) {
            throw Error(
                fmt::format("There is nothing to back up in {}: no commit, and no file that is not ignored.", name()));
        }
        throw Error(fmt::format("Not one file is left to back up in {}: all are ignored now, or gone. The last commit "
                                "stays as it is. Look at .gitignore and .git/info/exclude, and whether the drive is "
                                "mounted.",
                                name()));
    }

    [[nodiscard]] git::Commit headCommit() const {
        git_oid id;
        const int result = git_reference_name_to_id(&id, handle(), "HEAD");
        if (result == GIT_ENOTFOUND) return nullptr;
        git::check(result, "HEAD cannot be read");
        return git::own<git::Commit>(&git_commit_lookup, "HEAD's commit cannot be read", handle(), &id);
    }

    void commit() {
        const auto parent = headCommit();
        git_oid tree;
        git::check(git_index_write_tree_to(&tree, index_.get(), handle()),
                   "The tree cannot be written to the repository");
        scope_.stop().check();
        if (parent && git_oid_equal(&tree, git_commit_tree_id(parent.get()))) {
            outcome_.hash = git::toString(*git_commit_id(parent.get()));
        } else {
            outcome_.hash = git::toString(writeCommit(tree, parent.get()));
            outcome_.committed = true;
        }
        if (changed_) {
            restoreHidingBits();
            index_.replaceReal();
        }
        if (changed_ || outcome_.committed) syncFileSystem(repository_.gitFolder());
    }

    git_oid writeCommit(const git_oid& treeId, git_commit* parent) {
        const auto tree = git::own<git::Tree>(&git_tree_lookup, "The new tree cannot be read", handle(), &treeId);
        const auto robot =
            git::own<git::Signature>(&git_signature_now, "The commit cannot be signed", robotName, robotEmail);
        const std::string message = tidyMessage();
        const git_commit* parents[] = {parent};
        const auto create = [&](const char* reference) {
            git_oid id;
            git::check(git_commit_create(&id, handle(), reference, robot.get(), robot.get(), nullptr, message.c_str(),
                                         tree.get(), parent ? 1 : 0, parents),
                       fmt::format("The commit to {} failed", name()));
            return id;
        };
        git::check(git_repository_set_ident(handle(), robotName, robotEmail), "The commit cannot be signed");
        create(nullptr);
        syncFileSystem(repository_.gitFolder());
        return create("HEAD"); // the same commit, now that everything it needs is on the disk
    }

    [[nodiscard]] std::string tidyMessage() const {
        git_buf tidy = GIT_BUF_INIT;
        git::check(git_message_prettify(&tidy, order_.message.c_str(), 0, '#'), "The commit message cannot be used");
        std::string text(tidy.ptr, tidy.size);
        git_buf_dispose(&tidy);
        return text;
    }

    const FlashRepository& repository_;
    const CommitOrder& order_;
    const std::vector<std::string> nested_;
    FilterScope scope_;
    StagedIndex index_;
    CommitOutcome outcome_;
    std::map<std::string, Hiding> hiding_;
    bool changed_ = false;
};

} // namespace

CommitOutcome commitFlash(const FlashRepository& repository, const CommitOrder& order, const Stop& stop) {
    auto nested = lookThroughWorkTree(repository.workTree(), stop);
    const IndexLock lock(repository.gitFolder(), order.runId);
    if (order.flashDrive || order.ownRepository) manageConfig(repository, order.flashDrive);
    if (order.flashDrive) manageFlashDrive(repository, order);
    return Committer(repository, order, std::move(nested), stop).run();
}

} // namespace holdfast
