#include "transfer/backups.hpp"

#include "run/run_name.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

namespace {

constexpr std::size_t maxManifest = 1024 * 1024;
constexpr std::size_t maxManifests = 20'000;

std::string zfsField(const Manifest& manifest, const char* name) {
    if (manifest.source != "zfs" || !manifest.sourceFields.is_object()) return {};
    const auto field = manifest.sourceFields.find(name);
    return field != manifest.sourceFields.end() && field->is_string() ? field->get<std::string>() : "";
}

/// As the schema has it. What lies at a remote may come from anybody, and the name goes into units and the journal.
void demandJobName(const std::string& name) {
    constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (!name.empty() && name.size() <= 64 && name.find_first_not_of(allowed) == name.npos) return;
    throw Error("The job that it names has no name that a job can have.");
}

/// What all names of a backup begin with: "<job>-<UTC>-<id8>…", or "<job>.mirror".
void demandOwnName(const std::string& stem, const Manifest& m) {
    const bool mirror = m.copy && m.copy->layout == "mirror";
    const bool named = mirror ? stem == m.job + ".mirror"
                              : stem.starts_with(m.job + "-") && stem.find("-" + m.run.substr(0, 8)) != stem.npos;
    if (!named) {
        throw Error(fmt::format("It tells of run {} of job {}, which is not what its name says: it was swapped or "
                                "renamed.",
                                m.run, m.job));
    }
}

void demandObjectsBeside(const std::string& stem, const Manifest& m) {
    for (const auto& object : m.objects) {
        if (object.name.starts_with(stem) && object.name.find('/') == object.name.npos) continue;
        throw Error(fmt::format("It names the object {}, which is not part of this backup.", object.name));
    }
}

StoredBackup fetched(const std::filesystem::path& scratch, const FolderEntry& file, const std::string& whyNotFetched) {
    if (file.size > maxManifest) return {file.name, std::nullopt, "It is too large to be a manifest."};
    const auto text = readFileIfThere(scratch / file.name, maxManifest);
    if (!text) return {file.name, std::nullopt, fmt::format("It could not be read. {}", whyNotFetched)};
    return readBackup(file.name, *text);
}

bool newer(const StoredBackup& a, const StoredBackup& b) {
    const auto key = [](const StoredBackup& s) { return s.manifest ? s.manifest->startedAt : 0; };
    return key(a) != key(b) ? key(a) > key(b) : a.manifestName < b.manifestName;
}

const StoredBackup* find(const std::vector<StoredBackup>& backups, const std::string& run) {
    const auto found = std::find_if(backups.begin(), backups.end(),
                                    [&](const StoredBackup& b) { return b.manifest && b.manifest->run == run; });
    return found == backups.end() ? nullptr : &*found;
}

const StoredBackup* findSnapshot(const std::vector<StoredBackup>& backups, const std::string& dataset,
                                 const std::string& guid) {
    const auto found = std::find_if(backups.begin(), backups.end(), [&](const StoredBackup& b) {
        return b.manifest && zfsField(*b.manifest, "guid") == guid && zfsField(*b.manifest, "dataset") == dataset;
    });
    return found == backups.end() ? nullptr : &*found;
}

} // namespace

StoredBackup readBackup(const std::string& manifestName, const std::string& text) {
    StoredBackup backup{manifestName, std::nullopt};
    try {
        auto manifest = parseManifest(text);
        const auto stem = manifestName.substr(0, manifestName.size() - std::string_view(manifestSuffix).size());
        demandJobName(manifest.job);
        demandOwnName(stem, manifest);
        demandObjectsBeside(stem, manifest);
        backup.manifest = std::move(manifest);
    } catch (const Error& e) {
        backup.problem = e.what();
    }
    return backup;
}

awaitable<std::vector<StoredBackup>> readBackups(const Rclone& rclone, std::string folder,
                                                 std::filesystem::path scratch) {
    std::vector<StoredBackup> backups;
    auto files = co_await rclone.list(folder, std::string("*") + manifestSuffix);
    if (files.size() > maxManifests) {
        throw TransferError(fmt::format("{} has {} manifests; more than {} in one folder are not read.", folder,
                                        files.size(), maxManifests),
                            false);
    }
    std::vector<std::string> names;
    for (const auto& file : files) {
        if (file.size <= maxManifest) names.push_back(file.name);
    }
    std::string whyNotFetched;
    if (!names.empty()) whyNotFetched = co_await rclone.fetch(folder, names, scratch);
    if (!whyNotFetched.empty()) { // of some: one refused connection must not make a backup unreadable
        std::erase_if(names, [&](const std::string& name) { return std::filesystem::exists(scratch / name); });
        if (!names.empty()) whyNotFetched = co_await rclone.fetch(folder, names, scratch);
    }
    for (const auto& file : files) backups.push_back(fetched(scratch, file, whyNotFetched));
    std::sort(backups.begin(), backups.end(), newer);
    co_return backups;
}

std::vector<std::string> foldersWithManifests(const std::vector<std::string>& manifestPaths) {
    std::set<std::string> versions; // a version's folder has the name of its manifest
    for (const auto& path : manifestPaths) versions.insert(path.substr(0, path.size() - std::strlen(manifestSuffix)));
    const auto isInVersion = [&](const std::string& path) {
        for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
            if (versions.contains(path.substr(0, slash))) return true;
        }
        return false;
    };
    std::set<std::string> folders;
    for (const auto& path : manifestPaths) {
        const auto slash = path.rfind('/');
        if (!isInVersion(path)) folders.insert(path.substr(0, slash == path.npos ? 0 : slash));
    }
    return {folders.begin(), folders.end()};
}

bool isNamedAfter(const StoredBackup& backup, const std::string& job) {
    if (backup.manifest) return backup.manifest->job == job;
    const auto& name = backup.manifestName;
    const auto stamp = job.size() + 1;
    return name.starts_with(job + ".mirror.") ||
           (name.starts_with(job + "-") && name.size() > stamp + 8 && name[stamp + 8] == 'T' &&
            name.find_first_not_of("0123456789", stamp) == stamp + 8);
}

const StoredBackup& backupOfRun(const std::vector<StoredBackup>& backups, const std::string& run) {
    if (const auto* backup = find(backups, run)) return *backup;
    for (const auto& backup : backups) {
        if (!backup.manifest && backup.manifestName.find("-" + run.substr(0, 8)) != std::string::npos) {
            throw Error(fmt::format("The manifest {} cannot be used: {}", backup.manifestName, backup.problem));
        }
    }
    throw Error(fmt::format("There is no backup of run {} here.", run));
}

bool isOfTheFuture(USec time, USec now) {
    constexpr USec clocksDiffer = 600 * usecPerSec;
    return time > now + clocksDiffer;
}

const StoredBackup* newestOf(const std::vector<StoredBackup>& backups, const Owner& owner, USec now) {
    const auto counts = [&](const StoredBackup& b) {
        return b.manifest && b.manifest->job == owner.job && isMadeBy(*b.manifest, owner.machine) &&
               !isOfTheFuture(b.manifest->startedAt, now);
    };
    const auto newest = std::find_if(backups.begin(), backups.end(), counts);
    for (const auto& backup : backups) {
        if (backup.manifest || !isNamedAfter(backup, owner.job)) continue;
        // Names have the time in them; a mirror has one manifest only.
        if (newest != backups.end() && backup.manifestName < newest->manifestName) continue;
        if (const auto name = parseRunName(backup.manifestName); name && isOfTheFuture(name->queuedAt, now)) continue;
        throw Error(fmt::format("The manifest {} cannot be used: {}", backup.manifestName, backup.problem));
    }
    return newest == backups.end() ? nullptr : &*newest;
}

std::string whyNoneOf(const std::vector<StoredBackup>& backups, const Owner& owner, const std::string& place) {
    std::set<std::string> others;
    bool ofTheFuture = false;
    for (const auto& backup : backups) {
        if (!backup.manifest || backup.manifest->job != owner.job) continue;
        if (isMadeBy(*backup.manifest, owner.machine))
            ofTheFuture = true;
        else
            others.insert(backup.manifest->machine.host);
    }
    auto words = fmt::format("There is no backup of job {} in {}", owner.job, place);
    if (!others.empty()) {
        words += fmt::format(" that this machine has made, only of another machine ({})", fmt::join(others, ", "));
    }
    if (ofTheFuture) words += fmt::format("{} that is not dated in the future", others.empty() ? "" : ", or");
    if (others.empty() && !ofTheFuture) return words + ".";
    return words + ". Such a one is named by its run, which \"holdfastctl backups\" shows.";
}

const StoredBackup* baseOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup) {
    const auto& manifest = backup.manifest.value();
    const auto guid = zfsField(manifest, "baseGuid");
    if (guid.empty()) return nullptr;
    const auto run = zfsField(manifest, "baseRun");
    const auto* base = run.empty() ? findSnapshot(backups, zfsField(manifest, "dataset"), guid) : find(backups, run);
    if (!base) {
        throw Error(fmt::format("The backup of run {} is an increment, and what it builds on is not here: {}.",
                                manifest.run,
                                run.empty() ? fmt::format("the snapshot with the GUID {}", guid)
                                            : fmt::format("the backup of run {}", run)));
    }
    if (const auto found = zfsField(*base->manifest, "guid"); found != guid) {
        throw Error(fmt::format("The backup of run {} builds on a snapshot with the GUID {}, but that of run {} is {}.",
                                manifest.run, guid, base->manifest->run, found));
    }
    return base;
}

std::vector<const StoredBackup*> chainOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup) {
    std::vector<const StoredBackup*> chain{&backup};
    while (const auto* base = baseOf(backups, *chain.front())) {
        if (std::find(chain.begin(), chain.end(), base) != chain.end()) {
            throw Error(fmt::format("The manifests of the backup of run {} name each other as what they build on.",
                                    backup.manifest->run));
        }
        chain.insert(chain.begin(), base);
    }
    return chain;
}

} // namespace holdfast
