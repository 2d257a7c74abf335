#include "source/flash.hpp"

#include "source/flash_profile.hpp"
#include "source/git_lock.hpp"
#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/tar.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto lockPatience = 10s;

bool saysLocked(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const RepositoryLocked&) {
        return true;
    } catch (...) {
        return false;
    }
}

} // namespace

FlashSource::FlashSource(const Plan& plan, const Paths& paths, Ledger& ledger, fs::path varIni)
    : plan_(plan), paths_(paths), config_(std::get<FlashConfig>(plan.job.source)), ledger_(ledger),
      varIni_(std::move(varIni)) {}

bool FlashSource::isFlashDrive() const { return profile_ == "unraid"; }

awaitable<void> FlashSource::prepare() {
    place_ = findFlash(config_.gitPath);
    profile_ = config_.profile.value_or(detectProfile(place_.workTree));
    holdCacheFolder();
    if (!place_.exists) co_await makeRepository();
    co_await commit();
    if (!config_.includeGitHistory) co_await checkOut();
    if (!config_.streamDirect) co_await writeCacheFile();
}

void FlashSource::holdCacheFolder() {
    if (!config_.localCachePath) return;
    const auto folder = fs::path(*config_.localCachePath).parent_path();
    try {
        cacheFolder_.emplace(hold(folder, Owners::Any));
    } catch (const NoSuchPath&) {
        throw Error(fmt::format(
            "The folder of localCachePath, {}, is not there or cannot be read. Make it, or correct the path.",
            folder.string()));
    }
    refuseCacheInWorkTree();
}

/// The next backup would hold the last one, and so on.
void FlashSource::refuseCacheInWorkTree() const {
    const auto& real = cacheFolder_->real();
    const auto [end, ignored] = std::mismatch(place_.workTree.begin(), place_.workTree.end(), real.begin(), real.end());
    if (end == place_.workTree.end()) {
        throw Error(fmt::format(
            "localCachePath {} lies in the work tree {} that is backed up, so each backup would hold the one "
            "before. Choose a path outside of it.",
            *config_.localCachePath, place_.workTree.string()));
    }
    struct stat there {};
    const auto name = fs::path(*config_.localCachePath).filename();
    const bool exists = ::fstatat(cacheFolder_->fd(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists && S_ISDIR(there.st_mode)) {
        throw Error(fmt::format("localCachePath {} is a folder; it must name a file.", *config_.localCachePath));
    }
}

awaitable<void> FlashSource::makeRepository() {
    const fs::path draft = place_.workTree / runSuffix(plan_.id);
    const auto entry = ledger_.acquire(kinds::scratch, {{"path", draft.string()}});
    co_await background_.run([&](const Stop&) { initFlash(place_, draft); });
    ledger_.released(entry);
    madeHere_ = true;
}

/// Git's locks are short, and the one that is met may be that of a run of another job of the same repository.
awaitable<void> FlashSource::commit() {
    const auto patience = std::chrono::steady_clock::now() + lockPatience;
    for (;;) {
        auto attempt = caught(commitUnlessLocked());
        const auto failure = co_await std::move(attempt);
        if (!failure) co_return;
        if (!saysLocked(failure) || std::chrono::steady_clock::now() > patience) std::rethrow_exception(failure);
        co_await sleepFor(100ms);
    }
}

awaitable<void> FlashSource::commitUnlessLocked() {
    FlashRepository repository;
    co_await background_.run(
        [&](const Stop& stop) { repository = openFlash(place_, config_.includeGitHistory, stop); });
    branch_ = repository.headTarget;
    const auto entry = ledger_.acquire(kinds::gitLock, gitLockEntry(place_.gitFolder, repository.locks()));
    const CommitOrder order{plan_.id, config_.commitMessage, isFlashDrive(), varIni_, madeHere_};
    const auto failure = co_await caught(background_.run([&](const Stop& stop) {
        outcome_ = commitFlash(repository, order, stop);
        demandInPlace(place_);
        commitTime_ = commitTime(repository, outcome_.hash);
    }));
    // libgit2 has taken its locks back even when it failed, so one that is there now is another program's.
    removeOwnLocks(place_.gitFolder, plan_.id);
    ledger_.released(entry);
    if (failure) std::rethrow_exception(failure);
}

fs::path FlashSource::scratchFolder() {
    const auto folder = paths_.scratch(plan_.id);
    if (!std::exchange(hasScratchFolder_, true)) {
        ledger_.acquire(kinds::scratchFolder, {{"path", folder.string()}});
        makePrivateFolder(folder);
    }
    return folder;
}

awaitable<void> FlashSource::checkOut() {
    const auto folder = scratchFolder() / "files";
    ledger_.acquire(kinds::scratch, {{"path", folder.string()}});
    makePrivateFolder(folder);
    co_await background_.run([&](const Stop& stop) {
        checkOutCommit(place_, outcome_.hash, isFlashDrive(), folder, stop);
        demandInPlace(place_);
    });
    checkedOut_ = folder;
}

/// The file has its name only when it is whole. One that the user named stays; ours is removed, unless the job says to
/// keep it when the run fails.
awaitable<void> FlashSource::writeCacheFile() {
    const bool users = config_.localCachePath.has_value();
    if (!users) cacheFolder_.emplace(hold(scratchFolder(), Owners::Any));
    const auto name = users ? fs::path(*config_.localCachePath).filename().string() : std::string("flash.tar");
    const auto file = cacheFolder_->real() / name;

    const auto unfinished = ledger_.acquire(kinds::cacheFile, {{"path", file.string() + runSuffix(plan_.id)}});
    cacheFile_.emplace(*cacheFolder_, name + runSuffix(plan_.id));
    auto producer = tar();
    co_await cacheFile_->fill(std::move(producer.argv), std::move(producer.keep));
    checkUnchanged();
    if (!users) ledger_.acquire(kinds::cacheFile, {{"path", file.string()}}, OnFailure::Keep);
    cacheFile_->rename(name);
    ledger_.released(unfinished);
}

Producer FlashSource::tar() {
    if (!checkedOut_.empty()) return tarOfFiles(checkedOut_, commitTime_);
    fingerprint_ = fingerprint(place_.gitFolderForChild());
    auto producer = tarOfRepository(place_.gitFolderForChild());
    producer.keep = {place_.held->fd()};
    return producer;
}

Upload FlashSource::upload() {
    if (cacheFile_) return StoredFile{cacheFile_->path(), "tar", cacheFile_->fd()};
    return tar();
}

awaitable<void> FlashSource::doneReading() {
    if (!cacheFile_) checkUnchanged();
    co_return;
}

void FlashSource::checkUnchanged() const {
    if (!fingerprint_ || *fingerprint_ == fingerprint(place_.gitFolderForChild())) return;
    throw Error(fmt::format(
        "Another program changed the repository {} while it was read, so the copy may not be whole. Run the "
        "backup when no git command works there.",
        place_.gitFolder.string()));
}

nlohmann::json FlashSource::metadata() const {
    if (outcome_.hash.empty()) return nlohmann::json::object();
    auto message = outcome_.committed ? fmt::format("Committed the changes in {}.", place_.workTree.string())
                                      : fmt::format("Nothing had changed in {}.", place_.workTree.string());
    if (!outcome_.dropped.empty()) {
        message += fmt::format(" Now ignored and no longer in the repository: {} file(s), the first is {}.",
                               outcome_.dropped.size(), outcome_.dropped.front());
    }
    if (!outcome_.nested.empty()) {
        message += fmt::format(" Of {} git repositories in it, the files are in the backup, the history is not.",
                               outcome_.nested.size());
    }
    return {{"gitCommitHash", outcome_.hash}, {"message", message}};
}

std::string FlashSource::notice() const {
    if (outcome_.nested.empty()) return {};
    return fmt::format("Git repositories of their own, whose files are in the backup without their history: {}",
                       fmt::join(outcome_.nested, ", "));
}

nlohmann::json FlashSource::manifest() const {
    return {{"commit", outcome_.hash},
            {"branch", branch_ == "HEAD" ? nlohmann::json(nullptr) : nlohmann::json(branch_)},
            {"profile", profile_},
            {"history", config_.includeGitHistory}};
}

} // namespace holdfast
