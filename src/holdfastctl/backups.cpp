#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "util/error.hpp"
#include "util/format.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
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

bool couldBeginId(const std::string& text) {
    return text.size() >= shownId && text.size() <= 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

/// What a person means by a backup.
struct Meant {
    BackupPlace place;
    std::string run; ///< an id or its beginning; empty: of a job
    std::string job;
};

/// A run of this machine's history that is no backup has none.
Meant meantByRun(Client& client, const std::string& which) {
    const auto run = client.run(resolveRun(client, which));
    const auto kind = run.value("kind", "");
    if (kind != "streaming" && kind != "copy") {
        throw Error(fmt::format("Run {} has made no backup: it was a {}.", run.value("id", ""), kind));
    }
    return {placeOfRun(run), run.value("id", ""), ""};
}

Meant meant(Client& client, const std::string& which, const std::optional<BackupPlace>& place) {
    if (place) {
        const bool run = isId(which) || couldBeginId(which);
        return {*place, run ? which : "", run ? "" : which};
    }
    if (const auto job = jobNamed(client, which)) return {splitPlace(job->value("destination", "")), "", which};
    try {
        return meantByRun(client, which);
    } catch (const ServiceError&) {
        throw;
    } catch (const Error& e) {
        throw Error(fmt::format("{} If this machine does not know the backup, say where it lies: --remote REMOTE "
                                "--path PATH.",
                                e.what()));
    }
}

json newestOf(Client& client, const Meant& wanted) {
    for (auto& backup : client.backups(wanted.place, wanted.job)) {
        if (backup.contains("run") && backup.value("error", "").empty()) return backup;
    }
    throw Error(
        fmt::format("There is no backup of job {} in {} that could be restored.", wanted.job, nameOf(wanted.place)));
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
            backup.value("error", "").empty() ? "" : "broken"};
}

void showBackups(Output& out, const BackupPlace& place, const std::vector<json>& backups) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& backup : backups) {
        if (backup.contains("run")) rows.push_back(rowOf(backup));
    }
    if (rows.empty())
        out.line(fmt::format("There are no backups in {}.", nameOf(place)));
    else
        out.table({"BACKUP", "JOB", "MADE", "SOURCE", "SIZE", "HOST", "BUILDS ON", "STATE"}, rows, 7);
    for (const auto& backup : backups) {
        const auto error = backup.value("error", "");
        if (!error.empty()) out.hint(fmt::format("{}: {}", backup.value("manifest", ""), error));
    }
}

std::vector<BackupPlace> placesOfJobs(Client& client) {
    std::vector<BackupPlace> places;
    std::set<std::string> seen;
    for (const auto& job : client.objects().jobs) {
        const auto destination = job.value("destination", "");
        if (seen.insert(destination).second) places.push_back(splitPlace(destination));
    }
    if (places.empty()) {
        throw Error("There are no jobs here that would tell where backups lie: say it with --remote REMOTE --path "
                    "PATH. 'holdfastctl remote list' shows the remotes.");
    }
    return places;
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
    std::vector<BackupPlace> places;
    if (place)
        places.push_back(*place);
    else if (job.empty())
        places = placesOfJobs(context.client);
    else
        places.push_back(meant(context.client, job, place).place);

    bool broken = false;
    json document = json::array();
    for (const auto& where : places) {
        const auto backups = context.client.backups(where, job);
        broken = broken || std::any_of(backups.begin(), backups.end(),
                                       [](const json& backup) { return !backup.value("error", "").empty(); });
        if (!context.out.json()) showBackups(context.out, where, backups);
        for (auto backup : backups) {
            backup["remote"] = where.remote;
            backup["path"] = where.path;
            document.push_back(std::move(backup));
        }
    }
    if (context.out.json()) context.out.document(document);
    return broken ? exitWith::failed : exitWith::done;
}

int restoreBackup(Context& context, const std::string& which, const std::string& target,
                  const std::optional<BackupPlace>& place, const RestoreOptions& options) {
    if (target.empty() && !options.intoVolumes && options.volumes.empty()) {
        throw Error("Say where to restore to: a TARGET, or --volumes for the containers' volumes.");
    }
    auto wanted = meant(context.client, which, place);
    if (wanted.run.empty()) wanted.run = newestOf(context.client, wanted).value("run", "");
    const auto run = context.client.restore(wanted.place, wanted.run, target, options);
    return showStarted(context, run, options.follow, fmt::format("The restore of {}", wanted.run.substr(0, shownId)));
}

int verifyBackups(Context& context, const std::string& which, const std::optional<BackupPlace>& place, bool deep,
                  bool follow) {
    const auto wanted = meant(context.client, which, place);
    const auto run = context.client.verify(wanted.place, wanted.run, wanted.job, deep);
    return showStarted(context, run, follow, "The verification");
}

} // namespace holdfast::ctl
