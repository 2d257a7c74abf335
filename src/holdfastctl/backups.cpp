#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/run_lookup.hpp"
#include "util/error.hpp"
#include "util/format.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

constexpr std::size_t shownId = 8;

/// "remote:path".
BackupPlace splitPlace(const std::string& text) {
    const auto colon = text.find(':');
    return {text.substr(0, colon), colon == std::string::npos ? "" : text.substr(colon + 1)};
}

std::string nameOf(const BackupPlace& place) { return place.remote + ":" + place.path; }

/// Where a run has put its backup: the folder that its object or its version's folder lies in, or a mirror itself.
BackupPlace placeOfRun(const json& run) {
    auto place = splitPlace(run.value("outputPath", ""));
    const auto slash = place.path.rfind('/');
    const auto begin = slash == std::string::npos ? 0 : slash + 1;
    if (place.path.find(run.value("id", "").substr(0, shownId), begin) != std::string::npos) {
        place.path.erase(slash == std::string::npos ? 0 : slash);
    }
    return place;
}

std::optional<json> jobNamed(Client& client, const std::string& name) {
    for (const auto& job : client.objects().jobs) {
        if (job.value("name", "") == name) return job;
    }
    return std::nullopt;
}

/// As few digits as the service takes.
bool couldBeginBackupId(const std::string& text) {
    return text.size() >= 4 && text.size() <= 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::vector<BackupPlace> placesOfAllJobs(Client& client) {
    std::vector<BackupPlace> places;
    std::set<std::string> seen;
    for (const auto& job : client.objects().jobs) {
        const auto destination = job.value("destination", "");
        if (seen.insert(destination).second) places.push_back(splitPlace(destination));
    }
    return places;
}

/// What a person means by a backup.
struct Meant {
    BackupPlace place;
    std::string run; ///< an id or its beginning; empty: of a job
    std::string job;
};

/// The backup with such an id, in any of these places.
std::optional<Meant> backupIn(Client& client, const std::vector<BackupPlace>& places, const std::string& id) {
    std::optional<Meant> found;
    for (const auto& place : places) {
        for (const auto& backup : client.backupsOfRun(place, id)) {
            const auto run = backup.value("run", id);
            if (found && found->run != run) {
                throw Error(fmt::format("{} is the beginning of more than one backup's id; give more of it.", id));
            }
            found = Meant{place, run, ""};
        }
    }
    return found;
}

/// As backupIn(), where the jobs of this machine lead to. One of them that cannot be looked at keeps no other from it.
std::optional<Meant> backupWhereJobsLead(Client& client, const std::string& id) {
    std::optional<Meant> found;
    std::string whyNot;
    for (const auto& place : placesOfAllJobs(client)) {
        try {
            if (!found) found = backupIn(client, {place}, id);
        } catch (const ServiceError& error) {
            if (error.exitStatus() != exitWith::failed) throw;
            whyNot = fmt::format(" {} could not be looked at: {}", nameOf(place), error.what());
        }
    }
    if (!found && !whyNot.empty()) throw Error(fmt::format("There is no backup {} where jobs lead to.{}", id, whyNot));
    return found;
}

/// The one place of these that has backups of the job.
BackupPlace placeWithJob(Client& client, const std::vector<BackupPlace>& places, const std::string& job,
                         const std::string& top) {
    std::optional<BackupPlace> found;
    for (const auto& place : places) {
        if (client.backups(place, job).empty()) continue;
        if (found) {
            throw Error(fmt::format("There are backups of job {} in {} and in {}: say which with --path.", job,
                                    nameOf(*found), nameOf(place)));
        }
        found = place;
    }
    if (!found)
        throw Error(fmt::format("There is no backup {}, and none of a job of that name, in {} or below.", job, top));
    return *found;
}

Meant meantBelow(Client& client, const std::string& which, const BackupPlace& top) {
    const bool mayBeId = couldBeginBackupId(which);
    if (mayBeId) {
        if (const auto here = backupIn(client, {top}, which)) return *here;
    } else if (!client.backups(top, which).empty()) {
        return {top, "", which};
    }
    const auto places = client.backupPlaces(top);
    if (mayBeId) {
        if (const auto below = backupIn(client, places, which)) return *below;
    }
    return {placeWithJob(client, places, which, nameOf(top)), "", which};
}

/// Of this machine's history.
std::optional<json> knownRun(Client& client, const std::string& which) {
    const auto id = runWithId(client, which);
    if (!id) return std::nullopt;
    try {
        return client.run(*id);
    } catch (const ServiceError& error) {
        if (error.name() != errorName::noSuchRun) throw;
        return std::nullopt;
    }
}

Meant meantByRun(const json& run) {
    const auto id = run.value("id", "");
    if (!backsUp(run)) throw Error(fmt::format("Run {} has made no backup: it was a {}.", id, run.value("kind", "")));
    return {placeOfRun(run), id, ""};
}

Meant meant(Client& client, const std::string& which, const std::optional<BackupPlace>& place) {
    if (place) return meantBelow(client, which, *place);
    if (const auto job = jobNamed(client, which)) return {splitPlace(job->value("destination", "")), "", which};
    if (const auto run = knownRun(client, which)) return meantByRun(*run);
    if (const auto gone = lastDoneBackup(client, which)) return {placeOfRun(*gone), "", which};
    if (couldBeginBackupId(which)) {
        if (const auto found = backupWhereJobsLead(client, which)) return *found;
    }
    throw Error(fmt::format("There is no backup {} that this machine knows, nor a job of that name, nor is there one "
                            "where its jobs lead to. Say where it lies: --remote REMOTE --path PATH.",
                            which));
}

bool isOwn(const json& backup) { return backup.value("own", true); }
bool isOfTheFuture(const json& backup) { return backup.value("future", false); }

/// Of this machine: a job's name means nothing else.
json newestOf(Client& client, const Meant& wanted) {
    std::set<std::string> others;
    bool ofTheFuture = false;
    for (auto& backup : client.backups(wanted.place, wanted.job)) {
        if (!backup.contains("run") || !backup.value("error", "").empty()) continue;
        if (isOwn(backup) && !isOfTheFuture(backup)) return backup;
        if (isOwn(backup)) ofTheFuture = true;
        if (!isOwn(backup)) others.insert(backup.value("host", ""));
    }
    auto words =
        fmt::format("There is no backup of job {} in {} that could be restored", wanted.job, nameOf(wanted.place));
    if (!others.empty()) {
        words += fmt::format(" and that this machine has made, only of another machine ({})", fmt::join(others, ", "));
    }
    if (ofTheFuture) words += others.empty() ? ", only one that is dated in the future" : ", and one of the future";
    if (others.empty() && !ofTheFuture) throw Error(words + ".");
    throw Error(words + ". Name such a one by its run: 'holdfastctl backups' shows them.");
}

std::string stateOf(const json& backup) {
    if (!backup.value("error", "").empty()) return "broken";
    if (isOfTheFuture(backup)) return "dated in the future";
    return isOwn(backup) ? "" : "another machine's";
}

std::string withoutSlashAtEnd(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

/// The path that a person means who is in this folder, as the service takes it.
std::string absolutePath(const std::string& target) {
    return withoutSlashAtEnd(std::filesystem::absolute(target).lexically_normal().string());
}

/// Whether the backup is of a dataset; nothing if the list does not have it.
bool isOfDataset(Client& client, const Meant& wanted) {
    for (const auto& backup : client.backups(wanted.place, wanted.job)) {
        if (backup.value("run", "").starts_with(wanted.run)) return backup.value("format", "") == "zfs-send";
    }
    return true; // the service says what is wrong
}

/// "tank/restored" is a dataset, or a folder in the one that the caller is in: then what the backup is of decides.
std::string meantTarget(Client& client, const Meant& wanted, const std::string& target) {
    const bool isPath = target.starts_with('/') || target.starts_with('.') || target.find('/') == target.npos;
    if (isPath) return absolutePath(target);
    const auto first = target.substr(0, target.find('/'));
    const bool couldBePath = target.ends_with('/') || std::filesystem::is_directory(first);
    return couldBePath && !isOfDataset(client, wanted) ? absolutePath(target) : target;
}

std::vector<std::string> rowOf(const json& backup) {
    const auto base = backup.value("baseRun", "");
    const auto depth = backup.value("depth", std::uint64_t{0});
    const auto chain = base.empty() ? "" : fmt::format("{} ({} to restore)", base.substr(0, shownId), depth + 1);
    const auto made = backup.value("finishedAt", USec{0});
    return {backup.value("run", "").substr(0, shownId),
            backup.value("job", ""),
            formatLocalTime(made),
            backup.value("source", ""),
            formatBytes(backup.value("size", std::uint64_t{0})),
            backup.value("host", ""),
            chain,
            stateOf(backup)};
}

void showBackups(Output& out, const BackupPlace& place, const std::vector<json>& backups) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& backup : backups) {
        if (backup.contains("run")) rows.push_back(rowOf(backup));
    }
    if (!rows.empty()) {
        out.line(fmt::format("In {}:", nameOf(place)));
        out.table({"BACKUP", "JOB", "MADE", "SOURCE", "SIZE", "HOST", "BUILDS ON", "STATE"}, rows, 7);
    }
    for (const auto& backup : backups) {
        const auto error = backup.value("error", "");
        if (!error.empty()) out.hint(fmt::format("{}: {}", backup.value("manifest", ""), error));
    }
}

/// What a listing is about, and where it looks.
struct Search {
    std::vector<BackupPlace> places;
    std::string job;
    std::string where; ///< for people
};

Search searchFor(Client& client, const std::string& job, const std::optional<BackupPlace>& place) {
    if (place) return {client.backupPlaces(*place), job, nameOf(*place) + " or anywhere below"};
    if (!job.empty()) {
        const auto one = meant(client, job, place).place;
        return {{one}, job, nameOf(one)};
    }
    Search search{placesOfAllJobs(client), "", "the destinations of the jobs"};
    if (search.places.empty()) {
        throw Error("There are no jobs here that would tell where backups lie: say it with --remote REMOTE, and "
                    "--path PATH for a folder of it. 'holdfastctl remote list' shows the remotes.");
    }
    return search;
}

/// There are files, but nothing that vouches for them.
void hintAtOpenMirror(Context& context, const std::string& job) {
    if (job.empty()) return;
    const auto run = runThatLeftMirrorOpen(context.client, job);
    if (!run) return;
    context.out.hint(fmt::format(
        "The mirror of job {} is not whole: its run {} ({}) had begun to change it and was not done. Its files lie in "
        "{}, but none can be restored until a run is done: 'holdfastctl start {}'.",
        job, run->value("id", "").substr(0, shownId), run->value("result", ""), run->value("outputPath", ""), job));
}

json newestToRestore(Context& context, const Meant& wanted) {
    try {
        return newestOf(context.client, wanted);
    } catch (const ServiceError&) {
        throw;
    } catch (const Error&) {
        hintAtOpenMirror(context, wanted.job);
        throw;
    }
}

} // namespace

int showStarted(Context& context, const StartedRun& run, bool follow, const std::string& what) {
    if (follow) return followRun(context, run.id);
    if (context.out.json()) {
        context.out.document({{"id", run.id}, {"run", run.path}});
        return exitWith::done;
    }
    context.out.line(run.id);
    if (context.out.onTerminal()) {
        context.out.hint(
            fmt::format("{} has begun. 'holdfastctl follow {}' shows how it goes.", what, run.id.substr(0, shownId)));
    }
    return exitWith::done;
}

int listBackups(Context& context, const std::string& job, const std::optional<BackupPlace>& place) {
    const auto search = searchFor(context.client, job, place);
    bool broken = false;
    json document = json::array();
    for (const auto& where : search.places) {
        const auto backups = context.client.backups(where, search.job);
        broken = broken || std::any_of(backups.begin(), backups.end(),
                                       [](const json& backup) { return !backup.value("error", "").empty(); });
        if (!context.out.json()) showBackups(context.out, where, backups);
        for (auto backup : backups) {
            backup["remote"] = where.remote;
            backup["path"] = where.path;
            document.push_back(std::move(backup));
        }
    }
    if (context.out.json())
        context.out.document(document);
    else if (document.empty())
        context.out.line(fmt::format("There are no backups in {}.", search.where));
    if (document.empty()) hintAtOpenMirror(context, job);
    return broken ? exitWith::failed : exitWith::done;
}

JobOfBackup jobOfBackup(Client& client, const std::string& which, const std::optional<BackupPlace>& place) {
    auto wanted = meant(client, which, place);
    if (wanted.run.empty()) wanted.run = newestOf(client, wanted).value("run", "");
    const auto found = client.backupsOfRun(wanted.place, wanted.run, true);
    if (found.empty()) throw Error(fmt::format("There is no backup {} in {}.", wanted.run, nameOf(wanted.place)));
    const auto document = found.front().value("jobDocument", "");
    if (document.empty()) {
        throw Error(fmt::format("The manifest of backup {} does not tell of its job: it was made by an older version.",
                                wanted.run));
    }
    return {wanted.run, wanted.place, document, found.front().value("jobDocumentLacks", std::vector<std::string>{})};
}

int restoreBackup(Context& context, const std::string& which, const std::string& target,
                  const std::optional<BackupPlace>& place, const RestoreOptions& options) {
    if (target.empty() && !options.intoVolumes && options.volumes.empty()) {
        throw Error("Say where to restore to: a TARGET, or --volumes for the containers' volumes.");
    }
    auto wanted = meant(context.client, which, place);
    if (wanted.run.empty()) wanted.run = newestToRestore(context, wanted).value("run", "");
    const auto where = target.empty() ? target : meantTarget(context.client, wanted, target);
    const auto run = context.client.restore(wanted.place, wanted.run, where, options);
    return showStarted(context, run, options.follow, fmt::format("The restore of {}", wanted.run.substr(0, shownId)));
}

int verifyBackups(Context& context, const std::string& which, const std::optional<BackupPlace>& place, bool deep,
                  bool follow) {
    const auto wanted = meant(context.client, which, place);
    const auto run = context.client.verify(wanted.place, wanted.run, wanted.job, deep);
    return showStarted(context, run, follow, "The verification");
}

} // namespace holdfast::ctl
