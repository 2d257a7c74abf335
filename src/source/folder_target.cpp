#include "source/folder_target.hpp"

#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/unpack.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <cerrno>
#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// Symlinks are not followed.
std::optional<struct stat> look(const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return info;
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throwErrno("look at " + path.string());
}

/// Replaces nothing but an empty folder.
void renameFolder(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return;
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
        throw Error(fmt::format("Something has come to be at {} while the backup was fetched; it is left alone, and "
                                "what was restored is removed. Restore to another target.",
                                to.string()));
    }
    throwErrno(fmt::format("rename {} to {}", from.string(), to.string()));
}

void demandFolder(const fs::path& target, const struct stat& found, const fs::path& parent) {
    if (!S_ISDIR(found.st_mode)) {
        throw Error(fmt::format("{} is there and is not a folder; restore to another target.", target.string()));
    }
    const auto above = look(parent);
    if (above && above->st_dev != found.st_dev) {
        throw Error(fmt::format("{} is the root of a file system, which cannot be replaced; restore to a folder in it.",
                                target.string()));
    }
}

} // namespace

FolderTarget::FolderTarget(const RestoreTask& task, const std::string& runId, Ledger& ledger)
    : task_(task), runId_(runId), ledger_(ledger), target_(task.target), beside_(task.target + runSuffix(runId)),
      aside_(fmt::format("{}.before-{}", task.target, runId.substr(0, 8))) {}

awaitable<void> FolderTarget::prepare() {
    const auto parent = target_.parent_path();
    if (!fs::is_directory(parent)) {
        throw Error(
            fmt::format("There is no folder {} to restore into; make it, or choose another target.", parent.string()));
    }
    if (const auto found = look(target_)) {
        demandFolder(target_, *found, parent);
        setAside_ = !fs::is_empty(target_);
        if (setAside_ && !task_.force) {
            throw Error(fmt::format("{} is there and is not empty. Restore to another target; or with force, which "
                                    "sets what is there aside as {}.",
                                    target_.string(), aside_.string()));
        }
    }
    ledger_.acquire(kinds::scratch, {{"path", beside_.string()}});
    co_return;
}

awaitable<void> FolderTarget::beginAttempt() {
    removeOfRun(beside_, runId_);
    makePrivateFolder(beside_);
    co_return;
}

std::vector<std::string> FolderTarget::consumer(const Manifest& manifest) const {
    return unpackInto(beside_, task_.paths, manifest.source == "docker" ? Attributes::All : Attributes::None);
}

awaitable<void> FolderTarget::arrive() {
    syncFileSystem(beside_); // before it has its name
    const auto whole = look(beside_);
    if (!whole) throw Error(fmt::format("{} has vanished.", beside_.string()));
    ledger_.acquire(kinds::folderArrival, {{"path", target_.string()},
                                           {"aside", setAside_ ? aside_.string() : ""},
                                           {"device", whole->st_dev},
                                           {"inode", whole->st_ino}});
    if (setAside_) renameFolder(target_, aside_);
    renameFolder(beside_, target_);
    syncFolder(target_.parent_path());
    co_return;
}

nlohmann::json FolderTarget::metadata() const {
    nlohmann::json metadata{{"restoredTo", target_.string()}};
    if (setAside_) metadata["setAside"] = aside_.string();
    return metadata;
}

bool folderArrived(const nlohmann::json& entry) {
    const auto found = look(entry.at("path").get<std::string>());
    return found && found->st_dev == entry.at("device") && found->st_ino == entry.at("inode");
}

void undoFolderArrival(const nlohmann::json& entry) {
    const fs::path target = entry.at("path").get<std::string>();
    const fs::path aside = entry.at("aside").get<std::string>();
    if (aside.empty() || look(target) || !look(aside)) return;
    renameFolder(aside, target);
}

} // namespace holdfast
