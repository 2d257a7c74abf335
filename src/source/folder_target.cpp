#include "source/folder_target.hpp"

#include "source/disarm.hpp"
#include "source/files_arrival.hpp"
#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/staging.hpp"
#include "source/unpack.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t keptNamesShown = 10;

HeldPath holdParent(const fs::path& parent) {
    auto held = holdIfThere(parent);
    if (held && held->isFolder()) return std::move(*held);
    throw Error(
        fmt::format("There is no folder {} to restore into; make it, or choose another target.", parent.string()));
}

/// As renameFolderIn(), to a name that the caller has seen to be free.
void giveName(const HeldPath& from, const std::string& name, const HeldPath& to, const std::string& newName) {
    try {
        renameFolderIn(from, name, to, newName);
    } catch (const std::system_error& e) {
        const auto code = e.code().value();
        if (code != ENOTEMPTY && code != EEXIST && code != ENOTDIR) throw;
        throw Error(fmt::format("Something has come to be at {} while the backup was fetched; it is left alone, and "
                                "what was restored is removed. Restore to another target.",
                                (to.real() / newName).string()));
    }
}

std::string shownNames(const std::vector<std::string>& names) {
    const auto shown = std::min(names.size(), keptNamesShown);
    auto text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
    return text;
}

} // namespace

FolderTarget::FolderTarget(const RestoreTask& task, const std::string& runId, Ledger& ledger)
    : task_(task), runId_(runId), ledger_(ledger), target_(task.target), name_(target_.filename().string()) {}

awaitable<void> FolderTarget::prepare() {
    parent_ = holdParent(target_.parent_path());
    lookAtTarget();
    const auto name = folder_ ? runSuffix(runId_) : name_ + runSuffix(runId_);
    ledger_.acquire(kinds::scratch, {{"path", (besideWhat().real() / name).string()}});
    co_return;
}

void FolderTarget::lookAtTarget() {
    const auto found = statusIn(*parent_, name_);
    if (!found) return;
    if (S_ISLNK(found->st_mode)) {
        throw Error(fmt::format("{} is a symlink, and nothing is restored through one. Name the path that it leads to, "
                                "or another target.",
                                target_.string()));
    }
    if (!S_ISDIR(found->st_mode)) {
        if (task_.paths.size() != 1) {
            throw Error(fmt::format("{} is there and is not a folder; restore to another target.", target_.string()));
        }
        arrival_ = Arrival::OneFile;
        return;
    }
    if (!task_.paths.empty()) {
        arrival_ = Arrival::InPlace;
        folder_ = folderBelow(*parent_, name_);
        return;
    }
    if (found->st_dev != parent_->status().st_dev) {
        throw Error(fmt::format("{} is the root of a file system, which cannot be replaced; restore to a folder in it.",
                                target_.string()));
    }
    refuseUnlessEmpty();
}

void FolderTarget::refuseUnlessEmpty() {
    setAside_ = !fs::is_empty(folderBelow(*parent_, name_).forChild());
    if (!setAside_ || task_.force) return;
    throw Error(fmt::format("{} is there and is not empty. Restore to another target; or with force, which sets what "
                            "is there aside as {}; or only chosen paths, which are brought back in place.",
                            target_.string(), keptName(target_.string(), runId_)));
}

awaitable<void> FolderTarget::beginAttempt() {
    const auto name = folder_ ? runSuffix(runId_) : name_ + runSuffix(runId_);
    staging_.reset();
    removeOfRun(besideWhat().real() / name, runId_);
    staging_ = makeStaging(besideWhat(), name);
    makeStaging(*staging_, stagedName);
    co_return;
}

std::string FolderTarget::place() const { return staging_->forChild() + "/" + stagedName; }

std::string FolderTarget::shownPlace() const { return target_.string(); }

std::vector<int> FolderTarget::descriptors() const { return {staging_->fd()}; }

std::vector<std::string> FolderTarget::consumer(const Manifest& manifest) const {
    return unpackInto(place(), task_.paths, manifest.source == "docker" ? Attributes::All : Attributes::None);
}

awaitable<void> FolderTarget::received(const Manifest& manifest) {
    if (manifest.source == "flash") disarmed_ = disarmRepositories(folderBelow(*staging_, stagedName));
    co_return;
}

awaitable<void> FolderTarget::arrive() {
    syncFileSystem(*staging_); // before it has its name
    demandSamePlace();
    if (arrival_ == Arrival::InPlace)
        arriveInPlace();
    else if (arrival_ == Arrival::OneFile)
        arriveOverFile();
    else if (isTheFile())
        arriveAs(folderBelow(*staging_, fs::path(stagedName) / fs::path(task_.paths.front()).parent_path()), name_);
    else
        arriveWhole();
    co_return;
}

/// Somebody may have moved the folder that is held; what would be restored into it would not be at the target.
void FolderTarget::demandSamePlace() const {
    const auto path = folder_ ? target_ : target_.parent_path();
    if (leadsTo(path, besideWhat())) return;
    throw Error(fmt::format("{} is not the folder any more that it was when the restore began: somebody has moved or "
                            "replaced it. See that nobody does, and restore again.",
                            path.string()));
}

void FolderTarget::arriveWhole() { arriveAs(*staging_, stagedName); }

void FolderTarget::arriveAs(const HeldPath& from, const std::string& name) {
    const auto fresh = statusIn(from, name);
    if (!fresh) throw Error(fmt::format("{} has vanished.", (from.real() / name).string()));
    const auto aside = keptName(name_, runId_);
    const auto asidePath = (parent_->real() / aside).string();
    ledger_.acquire(kinds::folderArrival, {{"path", (parent_->real() / name_).string()},
                                           {"aside", setAside_ ? asidePath : ""},
                                           {"device", fresh->st_dev},
                                           {"inode", fresh->st_ino}});
    if (setAside_) {
        giveName(*parent_, name_, *parent_, aside);
        kept_.push_back(asidePath);
    }
    if (S_ISDIR(fresh->st_mode))
        giveName(from, name, *parent_, name_);
    else
        moveInto(from, name, *parent_, name_);
    syncNames(*parent_);
    const auto arrived = statusIn(*parent_, name_);
    if (arrived && arrived->st_ino == fresh->st_ino && arrived->st_dev == fresh->st_dev) return;
    throw Error(fmt::format("{} was exchanged as soon as it was restored. See who can write to {}.", target_.string(),
                            parent_->real().string()));
}

void FolderTarget::arriveInPlace() {
    const auto fresh = folderBelow(*staging_, stagedName);
    kept_ = moveFiles(movesInto(fresh, *folder_), fresh, *folder_, runId_, ledger_);
}

/// The one path that is chosen, whatever it is called in the backup.
void FolderTarget::arriveOverFile() {
    const fs::path path = task_.paths.front();
    const auto from = folderBelow(*staging_, fs::path(stagedName) / path.parent_path());
    const auto fresh = statusIn(from, path.filename().string());
    if (!fresh || S_ISDIR(fresh->st_mode)) {
        throw Error(fmt::format("{} is a file, but {} is none in the backup. Restore to another target.",
                                target_.string(), path.string()));
    }
    const auto name = path.filename().string();
    if (name != name_) moveInto(from, name, from, name_);
    kept_ = moveFiles({{name_, fresh->st_ino, statusIn(*parent_, name_).has_value()}}, from, *parent_, runId_, ledger_);
}

/// Whether one file was chosen and the target, which is not there, has its name: then it is the file that is meant.
bool FolderTarget::isTheFile() const {
    if (task_.paths.size() != 1 || setAside_) return false;
    const fs::path path = task_.paths.front();
    if (path.filename() != name_ || statusIn(*parent_, name_)) return false;
    const auto fresh = statusIn(folderBelow(*staging_, fs::path(stagedName) / path.parent_path()), name_);
    return fresh && !S_ISDIR(fresh->st_mode);
}

nlohmann::json FolderTarget::metadata() const {
    nlohmann::json metadata{{"restoredTo", target_.string()}};
    if (!kept_.empty()) metadata["setAside"] = shownNames(kept_);
    if (!disarmed_.empty()) metadata["message"] = describeDisarmed(disarmed_);
    return metadata;
}

bool folderArrived(const nlohmann::json& entry) {
    const fs::path path = entry.at("path").get<std::string>();
    const auto parent = holdIfThere(path.parent_path());
    if (!parent) return false;
    const auto found = statusIn(*parent, path.filename().string());
    return found && found->st_dev == entry.at("device") && found->st_ino == entry.at("inode");
}

void undoFolderArrival(const nlohmann::json& entry) {
    const fs::path target = entry.at("path").get<std::string>();
    const fs::path aside = entry.at("aside").get<std::string>();
    const auto parent = holdIfThere(target.parent_path());
    if (aside.empty() || !parent) return;
    const auto name = target.filename().string();
    const auto asideName = aside.filename().string();
    if (statusIn(*parent, name) || !statusIn(*parent, asideName)) return;
    moveInto(*parent, asideName, *parent, name);
}

} // namespace holdfast
