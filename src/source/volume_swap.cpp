#include "source/volume_swap.hpp"

#include "source/kinds.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// 0: nothing is there. The number of a device may be another after a reboot, so it identifies nothing.
ino_t inodeOf(const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return info.st_ino;
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    throwErrno("look at " + path.string());
}

/// `flags` as of renameat2(2): it exchanges, or replaces nothing.
void renameWith(unsigned flags, const fs::path& from, const fs::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return;
    throwErrno(
        fmt::format("{} {} and {}", flags == RENAME_EXCHANGE ? "exchange" : "rename", from.string(), to.string()));
}

nlohmann::json entryOf(const VolumeSwap& swap) {
    return {{"fresh", swap.fresh.string()},
            {"path", swap.folder.string()},
            {"aside", swap.aside.string()},
            {"inode", inodeOf(swap.fresh)}};
}

bool isFresh(const nlohmann::json& volume, const char* where) {
    return inodeOf(volume.at(where).get<std::string>()) == volume.at("inode").get<ino_t>();
}

fs::path pathIn(const nlohmann::json& volume, const char* where) { return volume.at(where).get<std::string>(); }

} // namespace

void swapVolumes(const std::vector<VolumeSwap>& swaps, Ledger& ledger) {
    auto volumes = nlohmann::json::array();
    for (const auto& swap : swaps) volumes.push_back(entryOf(swap));
    ledger.acquire(kinds::volumeArrival, {{"volumes", volumes}}, OnFailure::Undo, OnCommit::Keep);
    for (const auto& swap : swaps) renameWith(RENAME_NOREPLACE, swap.fresh, swap.aside);
    for (const auto& swap : swaps) renameWith(RENAME_EXCHANGE, swap.aside, swap.folder);
    for (const auto& swap : swaps) syncFolder(swap.folder.parent_path());
}

bool volumesArrived(const nlohmann::json& entry) {
    const auto& volumes = entry.at("volumes");
    return std::all_of(volumes.begin(), volumes.end(),
                       [](const nlohmann::json& volume) { return isFresh(volume, "path"); });
}

void undoVolumesArrival(const nlohmann::json& entry) {
    const auto& volumes = entry.at("volumes");
    for (const auto& volume : volumes) {
        if (isFresh(volume, "path")) renameWith(RENAME_EXCHANGE, pathIn(volume, "aside"), pathIn(volume, "path"));
    }
    for (const auto& volume : volumes) {
        if (isFresh(volume, "aside")) renameWith(RENAME_NOREPLACE, pathIn(volume, "aside"), pathIn(volume, "fresh"));
    }
}

} // namespace holdfast
