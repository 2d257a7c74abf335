#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/input.hpp"
#include "util/format.hpp"
#include "util/merge_patch.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

json toJson(const std::vector<Problem>& problems) {
    json list = json::array();
    for (const auto& problem : problems) {
        list.push_back({{"pointer", problem.pointer}, {"code", problem.code}, {"message", problem.message}});
    }
    return list;
}

/// The name in a document that the service has accepted.
std::string nameIn(const std::string& config) { return json::parse(config).at("name").get<std::string>(); }

/// "nas:backups/web" as options.
std::string placeOptions(const std::string& destination) {
    const auto colon = destination.find(':');
    const auto path = colon == std::string::npos ? "" : destination.substr(colon + 1);
    const auto remote = fmt::format("--remote {}", destination.substr(0, colon));
    return path.empty() ? remote : fmt::format("{} --path {}", remote, path);
}

/// "/a/b" as `job set` has it.
std::string asKey(std::string pointer) {
    std::replace(pointer.begin(), pointer.end(), '/', '.');
    return pointer.substr(std::min<std::size_t>(pointer.size(), 1));
}

/// The job goes on where its backups lie, whatever the remote was called on the machine that made them. It does not
/// start by itself while something is missing.
json jobToGoOn(const JobOfBackup& found) {
    auto document = json::parse(found.document);
    document["remoteName"] = found.place.remote;
    document["destinationPath"] = found.place.path;
    if (!found.lacks.empty()) document["enabled"] = false;
    return document;
}

void tellWhatIsLacking(Context& context, const std::string& name, const std::vector<std::string>& lacks) {
    if (lacks.empty()) return;
    std::vector<std::string> keys;
    std::transform(lacks.begin(), lacks.end(), std::back_inserter(keys), asKey);
    context.out.hint(
        fmt::format("Not in the manifest, since it may be private: {}. So the job is disabled: 'holdfastctl "
                    "job edit {}' sets that, and \"enabled\".",
                    fmt::join(keys, ", "), name));
}

void tellWhatStays(Context& context, const json& job) {
    const auto destination = job.value("destination", "");
    if (job.value("lastSuccessAt", USec{0}) > 0) {
        context.out.hint(fmt::format("Its backups stay in {}: 'holdfastctl backups {}' lists them.", destination,
                                     placeOptions(destination)));
    }
    if (job.value("sourceType", "") == "zfs") {
        context.out.hint(
            fmt::format("If it was incremental, the snapshot that its next backup would have built on stays "
                        "too: /var/lib/holdfast/bases/{}.json names it.",
                        job.value("name", "")));
    }
}

} // namespace

int createJob(Context& context, const std::string& file) {
    const auto config = readDocument(file);
    context.client.createJob(config);
    const auto name = nameIn(config);
    if (context.out.json())
        context.out.document({{"job", name}});
    else
        context.out.line(fmt::format("Job {} created.", name));
    return exitWith::done;
}

int createJobFromBackup(Context& context, const std::string& which, const std::optional<BackupPlace>& place,
                        bool printOnly, bool withoutAsking) {
    const auto found = jobOfBackup(context.client, which, place);
    const auto document = jobToGoOn(found);
    const auto name = document.value("name", "");
    if (printOnly) {
        context.out.document(document);
        tellWhatIsLacking(context, name, found.lacks);
        return exitWith::done;
    }
    if (!withoutAsking && !context.out.json() && ::isatty(STDIN_FILENO) != 0) {
        context.out.document(document);
        if (!confirm("Create this job? Whoever can write to the remote could have changed it.", false)) {
            context.out.line("Nothing was created.");
            return exitWith::failed;
        }
    }
    context.client.createJob(document.dump());
    if (context.out.json())
        context.out.document({{"job", name}, {"lacks", found.lacks}});
    else
        context.out.line(fmt::format("Job {} created from backup {}.", name, found.run));
    tellWhatIsLacking(context, name, found.lacks);
    return exitWith::done;
}

int validateJob(Context& context, const std::string& file) {
    const auto problems = context.client.validateJob(readDocument(file));
    if (context.out.json()) {
        context.out.document({{"valid", problems.empty()}, {"problems", toJson(problems)}});
    } else {
        if (problems.empty()) context.out.line("The job is valid.");
        for (const auto& problem : problems) {
            const auto& where = problem.pointer;
            context.out.line(where.empty() ? problem.message : fmt::format("{}: {}", where, problem.message));
        }
    }
    return problems.empty() ? exitWith::done : exitWith::failed;
}

int listJobs(Context& context) {
    const auto jobs = context.client.objects().jobs;
    if (context.out.json()) {
        context.out.document(jobs);
        return exitWith::done;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& job : jobs) {
        rows.push_back({job.value("name", ""), job.value("enabled", true) ? "yes" : "no", job.value("sourceType", ""),
                        job.value("destination", ""),
                        job.value("schedule", "").empty() ? "-" : job.value("schedule", ""),
                        formatLocalTime(job.value("nextRunAt", USec{0}))});
    }
    context.out.table({"JOB", "ENABLED", "SOURCE", "DESTINATION", "SCHEDULE", "NEXT RUN"}, rows);
    return exitWith::done;
}

int showJob(Context& context, const std::string& name, bool configOnly) {
    const auto config = context.client.jobConfig(name);
    if (configOnly) {
        context.out.document(nlohmann::ordered_json::parse(config));
        return exitWith::done;
    }
    const auto job = context.client.jobProperties(name);
    if (context.out.json()) {
        context.out.document({{"job", job}, {"config", json::parse(config)}});
        return exitWith::done;
    }
    const auto lastRun = job.value("lastRunId", "");
    context.out.fields({
        {"Job", job.value("name", "")},
        {"Enabled", job.value("enabled", true) ? "yes" : "no"},
        {"Source", job.value("sourceType", "")},
        {"Destination", job.value("destination", "")},
        {"Schedule", job.value("schedule", "")},
        {"Next run", formatLocalTime(job.value("nextRunAt", USec{0}))},
        {"Last run", lastRun.empty() ? ""
                                     : fmt::format("{}, {} ({})", formatLocalTime(job.value("lastRunAt", USec{0})),
                                                   job.value("lastRunResult", ""), lastRun)},
    });
    context.out.line("");
    context.out.document(nlohmann::ordered_json::parse(config));
    return exitWith::done;
}

int setInJob(Context& context, const std::string& name, const std::vector<std::string>& assignments) {
    json patch = json::object();
    for (const auto& assignment : assignments) patch.update(mergePatchFrom(assignment), true);
    const auto before = context.client.jobProperties(name).value("destination", "");
    context.client.updateJob(name, patch);
    if (context.out.json())
        context.out.document({{"job", name}});
    else
        context.out.line(fmt::format("Job {} changed.", name));
    tellOfBackupsLeft(context, name, before);
    return exitWith::done;
}

void tellOfBackupsLeft(Context& context, const std::string& name, const std::string& before) {
    const auto now = context.client.jobProperties(name);
    if (now.value("destination", "") == before || now.value("lastSuccessAt", USec{0}) == 0) return;
    context.out.hint(
        fmt::format("The backups that it has made so far stay in {}, where neither \"keep\" nor drills look "
                    "any more: 'holdfastctl backups {}' lists them.",
                    before, placeOptions(before)));
}

int removeJob(Context& context, const std::string& name, bool withoutAsking) {
    const bool ask = !withoutAsking && !context.out.json() && ::isatty(STDIN_FILENO) != 0;
    if (ask && !confirm(fmt::format("Remove job {}? Its backups stay where they are.", name), false)) {
        context.out.line("Nothing was removed.");
        return exitWith::failed;
    }
    const auto job = context.client.jobProperties(name);
    context.client.removeJob(name);
    if (context.out.json())
        context.out.document({{"job", name}});
    else
        context.out.line(fmt::format("Job {} removed.", name));
    tellWhatStays(context, job);
    return exitWith::done;
}

} // namespace holdfast::ctl
