#include "source/flash_checkout.hpp"

#include "source/background.hpp"
#include "source/key_filter.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

git::Commit lookUpCommit(git_repository* repository, const std::string& hash) {
    const auto what = fmt::format("The commit {} cannot be read", hash);
    git_oid id;
    git::check(git_oid_fromstr(&id, hash.c_str()), what);
    return git::own<git::Commit>(&git_commit_lookup, what, repository, &id);
}

int stopCheckout(git_checkout_notify_t, const char*, const git_diff_file*, const git_diff_file*, const git_diff_file*,
                 void* stop) noexcept {
    return static_cast<const Stop*>(stop)->requested() ? GIT_EUSER : 0;
}

/// A file of a commit as it lies in the work tree, if that is what was committed and git's own filters (line endings,
/// identifiers) have changed it on the way. Nothing for all others.
class Unfiltered {
  public:
    Unfiltered(git_repository* repository, const FlashPlace& place, bool flashDrive)
        : repository_(repository), place_(place), flashDrive_(flashDrive) {}

    [[nodiscard]] std::optional<std::string> content(const char* path, const git_oid& blob) const {
        const auto filters = load(path);
        if (!filters) return std::nullopt;
        const auto lying = read(path);
        if (!lying) return std::nullopt;
        auto clean = holdsKeys(path) ? withoutKeys(*lying) : *lying;
        if (!becomes(clean, filters.get(), blob)) return std::nullopt;
        return clean;
    }

  private:
    using Filters = std::unique_ptr<git_filter_list, decltype(&git_filter_list_free)>;

    /// The key filter is not among them: it has no scope here.
    [[nodiscard]] Filters load(const char* path) const {
        git_filter_list* raw = nullptr;
        git::check(git_filter_list_load(&raw, repository_, nullptr, path, GIT_FILTER_TO_ODB, GIT_FILTER_DEFAULT),
                   fmt::format("The git attributes of {} cannot be read", path));
        return {raw, &git_filter_list_free};
    }

    [[nodiscard]] std::optional<std::string> read(const char* path) const {
        struct open_how how {};
        how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
        const Fd fd(static_cast<int>(::syscall(SYS_openat2, place_.held->fd(), path, &how, sizeof how)));
        struct stat info {};
        if (!fd || ::fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode)) return std::nullopt;
        if (static_cast<std::size_t>(info.st_size) > largestFiltered) return std::nullopt;
        return readFile(fmt::format("/proc/self/fd/{}", fd.get()), largestFiltered);
    }

    [[nodiscard]] bool holdsKeys(const char* path) const {
        if (flashDrive_ && mayHoldKeys(path)) return true;
        const char* value = nullptr;
        git::check(git_attr_get(&value, repository_, GIT_ATTR_CHECK_FILE_THEN_INDEX, path, "filter"),
                   fmt::format("The git attributes of {} cannot be read", path));
        return git_attr_value(value) == GIT_ATTR_VALUE_STRING && std::string_view(value) == "noprivatekeys";
    }

    [[nodiscard]] static bool becomes(const std::string& content, git_filter_list* filters, const git_oid& blob) {
        git_buf filtered = GIT_BUF_INIT;
        git::check(git_filter_list_apply_to_buffer(&filtered, filters, content.data(), content.size()),
                   "A git filter failed");
        git_oid id;
        const int result = git_odb_hash(&id, filtered.ptr, filtered.size, GIT_OBJECT_BLOB);
        git_buf_dispose(&filtered);
        git::check(result, "A file cannot be hashed");
        return git_oid_equal(&id, &blob) != 0;
    }

    static constexpr std::size_t largestFiltered = 512 * 1024 * 1024;

    git_repository* repository_;
    const FlashPlace& place_;
    bool flashDrive_;
};

struct Rewriting {
    const Unfiltered& unfiltered;
    const fs::path folder;
    const Stop& stop;
    std::exception_ptr failure{};
};

int rewriteEntry(const char* root, const git_tree_entry* entry, void* payload) noexcept {
    auto& rewriting = *static_cast<Rewriting*>(payload);
    try {
        rewriting.stop.check();
        const auto mode = git_tree_entry_filemode(entry);
        if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE) return 0;
        const auto path = std::string(root) + git_tree_entry_name(entry);
        const auto content = rewriting.unfiltered.content(path.c_str(), *git_tree_entry_id(entry));
        const mode_t permissions = mode == GIT_FILEMODE_BLOB ? 0644 : 0755;
        if (content) replaceFile(rewriting.folder / path, *content, Durability::Volatile, permissions);
        return 0;
    } catch (...) {
        rewriting.failure = std::current_exception();
        return GIT_EUSER;
    }
}

} // namespace

std::int64_t commitTime(const FlashRepository& repository, const std::string& hash) {
    return git_commit_time(lookUpCommit(repository.handle.get(), hash).get());
}

void checkOutCommit(const FlashPlace& place, const std::string& hash, bool flashDrive, const fs::path& folder,
                    const Stop& stop) {
    const auto what = fmt::format("The commit {} of {} cannot be read", hash, place.gitFolder.string());
    const auto repository = git::own<git::Repository>(&git_repository_open, what, place.gitFolder.c_str());
    const auto commit = lookUpCommit(repository.get(), hash);
    const auto tree = git::own<git::Tree>(&git_commit_tree, what, commit.get());

    git_checkout_options options;
    git_checkout_options_init(&options, GIT_CHECKOUT_OPTIONS_VERSION);
    const auto target = folder.string();
    options.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DONT_UPDATE_INDEX | GIT_CHECKOUT_DONT_WRITE_INDEX;
    options.disable_filters = 1;
    options.target_directory = target.c_str();
    options.notify_flags = GIT_CHECKOUT_NOTIFY_ALL;
    options.notify_cb = stopCheckout;
    options.notify_payload = const_cast<Stop*>(&stop);
    const int result = git_checkout_tree(repository.get(), reinterpret_cast<const git_object*>(tree.get()), &options);
    stop.check();
    git::check(result, fmt::format("The committed files cannot be written to {}", folder.string()));

    const Unfiltered unfiltered(repository.get(), place, flashDrive);
    Rewriting rewriting{unfiltered, folder, stop};
    const int walked = git_tree_walk(tree.get(), GIT_TREEWALK_PRE, rewriteEntry, &rewriting);
    if (rewriting.failure) std::rethrow_exception(rewriting.failure);
    git::check(walked, what);
}

} // namespace holdfast
