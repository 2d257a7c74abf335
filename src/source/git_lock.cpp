#include "source/git_lock.hpp"

#include "source/scratch.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t maxLock = 4096;
constexpr std::size_t maxManaged = 16 * 1024 * 1024;

/// Times on FAT are rounded down to two seconds.
constexpr USec coarsestTime = 2 * usecPerSec;

/// What libgit2 calls an object that is being written, in `objects`.
constexpr std::string_view unfinishedObject = "tmp_object_git2_";

std::string lockText(const std::string& runId) { return fmt::format("holdfast {}\n", runId); }

fs::path indexLock(const fs::path& gitFolder) { return gitFolder / "index.lock"; }

void writeSynced(int fd, const fs::path& path, std::string_view content) {
    while (!content.empty()) {
        const ssize_t put = ::write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) throwErrno("write " + path.string());
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    if (::fsync(fd) < 0) throwErrno("sync " + path.string());
}

/// Not replaceFile(): that sets permissions, which FAT refuses.
void writeBeside(const fs::path& beside, std::string_view content) {
    const Fd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) throwErrno("create " + beside.string());
    writeSynced(fd.get(), beside, content);
}

bool isOursSince(const fs::path& path, USec since) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return false;
        throwErrno("look at " + path.string());
    }
    const auto changed = static_cast<USec>(info.st_ctim.tv_sec) * usecPerSec;
    return S_ISREG(info.st_mode) && info.st_uid == ::geteuid() && changed + coarsestTime >= since;
}

void removeIndexLock(const fs::path& gitFolder, const std::string& runId) {
    const auto path = indexLock(gitFolder);
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0 || !S_ISREG(info.st_mode)) return;
    if (static_cast<std::size_t>(info.st_size) > maxLock) return; // an index that another git is writing
    if (readFileIfThere(path, maxLock) == lockText(runId)) removeFile(path);
}

/// Gives `from` the name `to` if nothing has it. FAT has no links, ZFS before 2.2 no such rename.
bool moveIfFree(const fs::path& from, const fs::path& to) {
    if (::link(from.c_str(), to.c_str()) == 0) {
        ::unlink(from.c_str());
        return true;
    }
    if (errno != EEXIST && ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0)
        return true;
    if (errno == EEXIST) return false;
    throwErrno("create " + to.string());
}

void removeUnfinishedObjects(const fs::path& gitFolder, USec since) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(gitFolder / "objects", failed)) {
        if (!entry.path().filename().string().starts_with(unfinishedObject)) continue;
        if (isOursSince(entry.path(), since)) removeFile(entry.path());
    }
}

} // namespace

RepositoryLocked::RepositoryLocked(const fs::path& gitFolder, const fs::path& lock)
    : Error(
          fmt::format("The repository {} is locked by another git process: {} is there. Wait for that process to end; "
                      "if none runs, remove the file.",
                      gitFolder.string(), lock.string())) {}

/// The lock appears with its text, so that at no time it could be anybody's.
IndexLock::IndexLock(const fs::path& gitFolder, const std::string& runId) : path_(indexLock(gitFolder)) {
    const fs::path beside = path_.string() + runSuffix(runId);
    writeBeside(beside, lockText(runId));
    if (moveIfFree(beside, path_)) return;
    ::unlink(beside.c_str());
    throw RepositoryLocked(gitFolder, path_);
}

IndexLock::~IndexLock() { ::unlink(path_.c_str()); }

fs::path stagedIndex(const fs::path& gitFolder, const std::string& runId) {
    return gitFolder / ("index" + runSuffix(runId));
}

void manageFile(const fs::path& path, const std::string& content, const std::string& runId) {
    if (readFileIfThere(path, maxManaged) == content) return;
    fs::create_directories(path.parent_path());
    const fs::path beside = path.string() + runSuffix(runId);
    writeBeside(beside, content);
    fs::rename(beside, path);
}

nlohmann::json gitLockEntry(const fs::path& gitFolder, const std::vector<fs::path>& locks) {
    auto names = nlohmann::json::array();
    for (const auto& lock : locks) names.push_back(lock.string());
    return {{"gitFolder", gitFolder.string()}, {"locks", std::move(names)}, {"since", nowUSec()}};
}

void removeOwnLocks(const fs::path& gitFolder, const std::string& runId) {
    for (const auto* name :
         {"index", "index.lock", "description", "info/exclude", "info/attributes", "../.gitattributes"}) {
        const auto beside = (gitFolder / name).lexically_normal().string() + runSuffix(runId);
        removeFile(beside);
        removeFile(beside + ".lock");
    }
    removeIndexLock(gitFolder, runId);
}

void undoGitLock(const nlohmann::json& entry, const std::string& runId) {
    const fs::path gitFolder = entry.at("gitFolder").get<std::string>();
    const auto since = entry.at("since").get<USec>();
    std::error_code failed;
    if (gitFolder.filename() != ".git" || !fs::is_directory(fs::symlink_status(gitFolder, failed))) return;

    for (const auto& name : entry.at("locks")) {
        const fs::path lock = name.get<std::string>();
        if (lock != indexLock(gitFolder) && lock.extension() == ".lock" && isOursSince(lock, since)) removeFile(lock);
    }
    removeUnfinishedObjects(gitFolder, since);
    removeOwnLocks(gitFolder, runId);
}

} // namespace holdfast
