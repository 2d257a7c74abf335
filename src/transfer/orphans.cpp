#include "transfer/orphans.hpp"

#include "transfer/backups.hpp"
#include "util/log.hpp"

#include <set>

#include <fmt/format.h>

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
        if (!name || name->queuedAt >= olderThan) continue;
        if (!entry.pending && backups.contains(name->stem)) continue;
        // A version is a folder, with nothing after the stem; all else that a run uploads is a file.
        if (entry.folder == name->rest.empty())
            orphans.push_back({entry.name, *name, entry.folder, entry.pending, entry.size});
    }
    return orphans;
}

awaitable<std::vector<FolderEntry>> listAll(const Rclone& rclone, std::string folder) {
    auto entries = co_await rclone.entries(folder);
    try {
        const auto pending = co_await rclone.pendingUploads(folder);
        entries.insert(entries.end(), pending.begin(), pending.end());
    } catch (const TransferError& e) {
        logNotice(fmt::format("The remote does not tell of uploads that were never finished. {}", e.what()));
    }
    co_return entries;
}

awaitable<void> removeOrphan(const Rclone& rclone, std::string folder, Orphan orphan) {
    const auto prefix = folder.ends_with(':') ? folder : folder + "/";
    auto object = prefix + orphan.name;
    auto uploads = prefix + orphan.run.stem;
    if (orphan.pending)
        co_await rclone.abortUploads(std::move(uploads));
    else if (orphan.folder)
        co_await rclone.purge(std::move(object));
    else
        co_await rclone.remove(std::move(object));
}

} // namespace holdfast
