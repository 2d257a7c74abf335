#include "source/volume_swap.hpp"

#include "source/kinds.hpp"
#include "source/staging.hpp"
#include "util/error.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// A name, and the folder that it is in, held.
struct NameIn {
    HeldPath folder;
    std::string name;
};

NameIn nameAt(const fs::path& path) { return {hold(path.parent_path(), Owners::Any), path.filename().string()}; }

/// 0: nothing is there. The number of a device may be another after a reboot, so it identifies nothing.
ino_t inodeOf(const fs::path& path) {
    const auto folder = holdIfThere(path.parent_path());
    if (!folder) return 0;
    const auto found = statusIn(*folder, path.filename().string());
    return found ? found->st_ino : 0;
}

void setBeside(const fs::path& from, const fs::path& to) {
    const auto source = nameAt(from);
    const auto target = nameAt(to);
    moveInto(source.folder, source.name, target.folder, target.name);
}

/// Both lie in one folder.
void exchangeFolders(const fs::path& one, const fs::path& other) {
    const auto at = nameAt(one);
    if (exchangeNames(at.folder, at.name, other.filename().string())) return;
    throw Error(
        fmt::format("The file system of {} cannot exchange two folders; restore to a folder instead.", one.string()));
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
    for (const auto& swap : swaps) setBeside(swap.fresh, swap.aside);
    for (const auto& swap : swaps) exchangeFolders(swap.aside, swap.folder);
    for (const auto& swap : swaps) syncNames(nameAt(swap.folder).folder);
}

bool volumesArrived(const nlohmann::json& entry) {
    const auto& volumes = entry.at("volumes");
    return std::all_of(volumes.begin(), volumes.end(),
                       [](const nlohmann::json& volume) { return isFresh(volume, "path"); });
}

void undoVolumesArrival(const nlohmann::json& entry) {
    const auto& volumes = entry.at("volumes");
    for (const auto& volume : volumes) {
        if (isFresh(volume, "path")) exchangeFolders(pathIn(volume, "aside"), pathIn(volume, "path"));
    }
    for (const auto& volume : volumes) {
        if (isFresh(volume, "aside")) setBeside(pathIn(volume, "aside"), pathIn(volume, "fresh"));
    }
}

} // namespace holdfast
