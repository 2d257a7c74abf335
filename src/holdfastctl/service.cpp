#include "holdfastctl/alerts.hpp"
#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/progress.hpp"
#include "util/format.hpp"

#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

bool backsUp(const json& run) { return run.value("kind", "") == "streaming" || run.value("kind", "") == "copy"; }

/// Live backups by job; a job has one at most, and lately finished ones are told by their result.
std::map<std::string, json> liveRuns(const std::vector<json>& runs) {
    std::map<std::string, json> live;
    for (const auto& run : runs) {
        if (backsUp(run) && run.value("result", "").empty()) live[run.value("job", "")] = run;
    }
    return live;
}

std::vector<std::string> statusRow(const json& job, const std::map<std::string, json>& live) {
    const auto name = job.value("name", "");
    const auto next = job.value("enabled", true) ? formatLocalTime(job.value("nextRunAt", USec{0})) : "disabled";
    const auto proven = formatLocalTime(job.value("lastProvenAt", USec{0}));
    const auto run = live.find(name);
    const auto alerts = fmt::format("{}", fmt::join(alertsOf(job, run != live.end(), nowUSec()), ", "));
    if (run != live.end()) {
        const auto started = std::max(run->second.value("startedAt", USec{0}), run->second.value("queuedAt", USec{0}));
        const auto state = run->second.value("state", "") + ": " + progressText(run->second);
        return {name, formatLocalTime(started), state, proven, next, alerts};
    }
    const auto result = job.value("lastRunResult", "");
    return {name,  formatLocalTime(job.value("lastRunAt", USec{0})), result.empty() ? "-" : result, proven, next,
            alerts};
}

} // namespace

int showStatus(Context& context) {
    const auto service = context.client.managerProperties();
    const auto objects = context.client.objects();
    if (context.out.json()) {
        auto shown = service;
        shown.erase("jobSchema"); // large, and the same for everybody
        context.out.document({{"service", shown}, {"jobs", objects.jobs}, {"runs", objects.runs}});
        return exitWith::done;
    }
    const auto live = liveRuns(objects.runs);
    std::vector<std::vector<std::string>> rows;
    for (const auto& job : objects.jobs) rows.push_back(statusRow(job, live));
    context.out.table({"JOB", "LAST RUN", "RESULT", "LAST PROVEN", "NEXT RUN", "ATTENTION"}, rows, 2, 5);

    const auto broken = service.value("brokenJobs", json::array());
    for (const auto& file : broken) {
        context.out.hint(
            fmt::format("{} was not loaded: {}", file.at(0).get<std::string>(), file.at(1).get<std::string>()));
    }
    return broken.empty() ? exitWith::done : exitWith::failed;
}

int reload(Context& context) {
    context.client.reload();
    const auto broken = context.client.managerProperties().value("brokenJobs", json::array());
    if (context.out.json()) {
        context.out.document({{"brokenJobs", broken}});
    } else {
        for (const auto& file : broken) {
            context.out.hint(
                fmt::format("{} was not loaded: {}", file.at(0).get<std::string>(), file.at(1).get<std::string>()));
        }
        if (broken.empty()) context.out.line("Settings and jobs are loaded.");
    }
    return broken.empty() ? exitWith::done : exitWith::failed;
}

} // namespace holdfast::ctl
