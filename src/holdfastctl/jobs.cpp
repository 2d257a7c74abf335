#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/input.hpp"
#include "util/format.hpp"
#include "util/merge_patch.hpp"

#include <algorithm>

#include <fmt/format.h>
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
    context.client.updateJob(name, patch);
    if (context.out.json())
        context.out.document({{"job", name}});
    else
        context.out.line(fmt::format("Job {} changed.", name));
    return exitWith::done;
}

int removeJob(Context& context, const std::string& name, bool withoutAsking) {
    const bool ask = !withoutAsking && !context.out.json() && ::isatty(STDIN_FILENO) != 0;
    if (ask && !confirm(fmt::format("Remove job {}? Its backups stay where they are.", name), false)) {
        context.out.line("Nothing was removed.");
        return exitWith::failed;
    }
    context.client.removeJob(name);
    if (context.out.json())
        context.out.document({{"job", name}});
    else
        context.out.line(fmt::format("Job {} removed.", name));
    return exitWith::done;
}

} // namespace holdfast::ctl
