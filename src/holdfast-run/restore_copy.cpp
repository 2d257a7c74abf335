#include "restore_copy.hpp"

#include "stored.hpp"

#include "transfer/copy.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto longestListing = 6h;
constexpr std::uint64_t slowestRead = 1024 * 1024; // bytes a second
constexpr std::size_t namedAtMost = 10;

bool isWithin(const std::string& path, const std::string& chosen) {
    return path == chosen || (path.starts_with(chosen) && (chosen.ends_with('/') || path[chosen.size()] == '/'));
}

/// The files that the task asks for. A path that chooses none is an error: somebody counts on it.
FileList chosen(FileList files, const std::vector<std::string>& paths) {
    if (paths.empty()) return files;
    FileList some;
    for (const auto& path : paths) {
        const auto before = some.size();
        for (const auto& [name, file] : files) {
            if (isWithin(name, path)) some.emplace(name, file);
        }
        if (some.size() == before) throw Error(fmt::format("There is no {} in this backup.", path));
    }
    return some;
}

bool wasCopiedWith(const Manifest& manifest, const char* flag) {
    const auto& flags = manifest.copy->flags;
    return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

/// Links lie at the remote as files with their targets in them, and are made by us when all is there: rclone would set
/// modes and owners of what they point to, and write through them.
std::vector<std::string> flagsOf(const Manifest& manifest) {
    return wasCopiedWith(manifest, "metadata") ? std::vector<std::string>{"--metadata"} : std::vector<std::string>{};
}

/// Of "name.rclonelink", the link "name" with its owner and times.
void makeLink(const fs::path& file) {
    struct stat info {};
    const auto link = file.parent_path() / file.stem();
    const auto to = readFile(file, PATH_MAX);
    if (::lstat(file.c_str(), &info) < 0) throwErrno("look at " + file.string());
    if (::symlink(to.c_str(), link.c_str()) < 0) throwErrno("make the link " + link.string());
    if (::lchown(link.c_str(), info.st_uid, info.st_gid) < 0) throwErrno("give away the link " + link.string());
    const std::array times{info.st_atim, info.st_mtim};
    if (::utimensat(AT_FDCWD, link.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) < 0) {
        throwErrno("set the times of the link " + link.string());
    }
    fs::remove(file);
}

void makeLinks(const fs::path& folder, const FileList& files) {
    for (const auto& [path, ignored] : files) {
        if (path.ends_with(".rclonelink")) makeLink(folder / path);
    }
}

/// A mirror may hold files that the source no longer had: only those of the list are the backup.
bool needsNames(const Restore& restore, const Manifest& manifest) {
    return manifest.copy->layout == "mirror" || !restore.task.paths.empty();
}

CopySpec copySpec(const Restore& restore, const Manifest& manifest, const FileList& files) {
    CopySpec spec{.from = folderOfCopy(restore.plan, manifest),
                  .to = restore.target.place(),
                  .options = flagsOf(manifest),
                  .stallTimeout = restore.plan.settings.stallTimeout,
                  .killDelay = restore.plan.settings.killDelay};
    if (needsNames(restore, manifest)) spec.options.push_back(namesFlag(restore.plan, restore.paths, files));
    return spec;
}

std::string firstOf(const std::vector<std::string>& texts, const char* between) {
    const auto end = texts.begin() + static_cast<std::ptrdiff_t>(std::min(texts.size(), namedAtMost));
    return fmt::format("{}", fmt::join(texts.begin(), end, between));
}

/// A damaged file does not get better by copying it again.
void demandAll(const FileList& wanted, const FileList& found, const std::string& from) {
    const auto wrong = differences(wanted, found);
    if (wrong.empty()) return;
    throw TransferError(fmt::format("{} of {} files in {} are not as they were when they were backed up: {}",
                                    wrong.size(), wanted.size(), from, firstOf(wrong, " ")),
                        false);
}

/// What somebody has put beside the files of a version is not of the backup, whatever it is.
void refuseOthers(const FileList& wanted, const FileList& found, const std::string& from) {
    std::vector<std::string> others;
    for (const auto& [path, file] : found) {
        if (!wanted.contains(path)) others.push_back(path);
    }
    if (others.empty()) return;
    throw TransferError(fmt::format("There are {} files in {} that are not of the backup: {}. Remove them there, or "
                                    "choose what to restore by its path.",
                                    others.size(), from, firstOf(others, ", ")),
                        false);
}

} // namespace

awaitable<void> restoreCopy(Restore restore, const Manifest& manifest) {
    const auto rclone = restore.rclone.keeping(restore.target.descriptors());
    auto all = co_await storedList(restore.rclone, restore.plan, restore.paths, manifest);
    const auto files = chosen(std::move(all), restore.task.paths);
    auto spec = copySpec(restore, manifest, files);
    const auto from = spec.from;
    const TellCounts tell = [&restore](const CopyCounts& counts) {
        restore.reporter.metadata({{"filesDone", counts.filesDone}, {"filesTotal", counts.filesTotal}});
    };
    co_await copyFiles(rclone, std::move(spec), restore.reporter.progress(), restore.limiter, tell);

    Listing listing{restore.target.place(), {}, manifest.copy->hash};
    const auto deadline = longestListing + std::chrono::seconds(totalSize(files) / slowestRead);
    const auto found = co_await listFiles(rclone, std::move(listing), deadline);
    demandAll(files, found, from);
    refuseOthers(files, found, from);
    if (wasCopiedWith(manifest, "links")) makeLinks(restore.target.place(), files);
    restore.reporter.metadata({{"filesDone", files.size()}, {"filesTotal", files.size()}});
}

} // namespace holdfast
