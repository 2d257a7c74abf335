#include "transfer/prune.hpp"

#include "run/run_name.hpp"
#include "util/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace holdfast {

namespace {

std::string baseRunOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup) {
    const auto* base = baseOf(backups, backup);
    return base ? base->manifest->run : "";
}

/// Whether the file's name and what the manifest names are those that the run gave them.
bool isShapedAsOurs(const StoredBackup& backup) {
    const auto& m = *backup.manifest;
    const auto name = parseRunName(backup.manifestName);
    const auto belongs = [&](const Manifest::Object& object) {
        const auto other = parseRunName(object.name);
        return other && other->stem == name->stem;
    };
    return name && name->job == m.job && name->idPart == m.run.substr(0, 8) && name->rest.ends_with(manifestSuffix) &&
           std::all_of(m.objects.begin(), m.objects.end(), belongs);
}

bool isMirror(const Manifest& m) { return m.copy && m.copy->layout == "mirror"; }

std::string whyLeftAlone(const StoredBackup& backup, const Owner& owner, USec now) {
    const auto& m = *backup.manifest;
    if (m.job != owner.job) return "another job's";
    if (!isMadeBy(m, owner.machine)) return fmt::format("made by another machine ({})", m.machine.host);
    if (isMirror(m)) return "a mirror, which has no versions";
    if (isOfTheFuture(m.startedAt, now)) return "dated in the future";
    if (!isShapedAsOurs(backup)) return "not named as its run would have named it";
    return "";
}

Version versionOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup, const Owner& owner, USec now) {
    const auto& m = *backup.manifest;
    Version version{.name = backup.manifestName, .run = m.run, .startedAt = m.startedAt};
    version.mayBeBase = m.stream && m.stream->format == "zfs-send";
    version.leftAlone = whyLeftAlone(backup, owner, now);
    try {
        version.base = baseRunOf(backups, backup);
        chainOf(backups, backup);
    } catch (const Error& e) {
        if (version.leftAlone.empty()) version.leftAlone = fmt::format("it cannot be restored as it is: {}", e.what());
    }
    return version;
}

} // namespace

std::vector<Version> versionsOf(const std::vector<StoredBackup>& backups, const Owner& owner, USec now) {
    std::vector<Version> versions;
    for (const auto& backup : backups) {
        if (backup.manifest) {
            versions.push_back(versionOf(backups, backup, owner, now));
            continue;
        }
        Version version{.name = backup.manifestName, .run = {}};
        version.unreadable = isNamedAfter(backup, owner.job);
        version.leftAlone = version.unreadable ? "it cannot be read: " + backup.problem : "another job's";
        versions.push_back(std::move(version));
    }
    return versions;
}

awaitable<void> removeBackup(const Rclone& rclone, std::string folder, StoredBackup backup) {
    if (!backup.manifest || isMirror(*backup.manifest) || !isShapedAsOurs(backup)) {
        throw Error(
            fmt::format("{} is not removed: it is not named as a run would have named it.", backup.manifestName));
    }
    const auto prefix = folder.ends_with(':') ? folder : folder + "/";
    auto manifest = prefix + backup.manifestName;
    co_await rclone.remove(std::move(manifest));
    if (backup.manifest->copy) {
        auto files = prefix + parseRunName(backup.manifestName)->stem;
        co_await rclone.purge(std::move(files));
    }
    for (const auto& object : backup.manifest->objects) {
        auto name = prefix + object.name;
        co_await rclone.remove(std::move(name));
    }
}

} // namespace holdfast
