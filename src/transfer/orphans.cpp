#include "transfer/orphans.hpp"

#include "transfer/backups.hpp"

#include <set>

namespace holdfast {

namespace {

bool isManifest(const RunName& name) { return name.rest.ends_with(manifestSuffix); }

/// Stems of the backups that have a manifest.
std::set<std::string> stemsOfBackups(const std::vector<FolderEntry>& entries) {
    std::set<std::string> stems;
    for (const auto& entry : entries) {
        const auto name = parseRunName(entry.name);
        if (name && isManifest(*name)) stems.insert(name->stem);
    }
    return stems;
}

} // namespace

std::vector<Orphan> orphansAmong(const std::vector<FolderEntry>& entries, USec olderThan) {
    const auto backups = stemsOfBackups(entries);
    std::vector<Orphan> orphans;
    for (const auto& entry : entries) {
        const auto name = parseRunName(entry.name);
        if (!name || backups.contains(name->stem) || name->queuedAt >= olderThan) continue;
        // A version is a folder, with nothing after the stem; all else that a run uploads is a file.
        if (entry.folder == name->rest.empty()) orphans.push_back({entry.name, *name, entry.folder, entry.size});
    }
    return orphans;
}

awaitable<void> removeOrphan(const Rclone& rclone, std::string folder, Orphan orphan) {
    auto object = folder.ends_with(':') ? folder + orphan.name : folder + "/" + orphan.name;
    if (orphan.folder)
        co_await rclone.purge(std::move(object));
    else
        co_await rclone.remove(std::move(object));
}

} // namespace holdfast
