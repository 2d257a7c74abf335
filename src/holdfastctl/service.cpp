#include "holdfastctl/alerts.hpp"
#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/progress.hpp"
#include "holdfastctl/run_lookup.hpp"
#include "util/format.hpp"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

/// Live backups by job: of two, the one that is under way, and not the one that waits for it. Lately finished ones are
/// told by their result.
std::map<std::string, json> liveRuns(const std::vector<json>& runs) {
    std::map<std::string, json> live;
    for (const auto& run : runs) {
        if (!backsUp(run) || !run.value("result", "").empty()) continue;
        auto& shown = live[run.value("job", "")];
        if (shown.is_null() || shown.value("state", "") == "queued") shown = run;
    }
    return live;
}

/// Whether the job's mirror may be half changed: that is asked of those jobs alone that can have one in such a state.
bool hasOpenMirror(Client& client, const json& job) {
    const auto result = job.value("lastRunResult", "");
    if (job.value("sourceType", "") != "none" || result.empty() || result == "done") return false;
    return runThatLeftMirrorOpen(client, job.value("name", "")).has_value();
}

/// Job, last run, result, last proven, next run.
std::vector<std::string> statusOf(const json& job, const json* run) {
    const auto time = [now = nowUSec()](USec when) { return formatShortTime(when, now); };
    const auto name = job.value("name", "");
    const auto next = job.value("enabled", true) ? time(job.value("nextRunAt", USec{0})) : "disabled";
    const auto proven = time(job.value("lastProvenAt", USec{0}));
    if (run != nullptr) {
        const auto started = std::max(run->value("startedAt", USec{0}), run->value("queuedAt", USec{0}));
        return {name, time(started), progressInBrief(*run), proven, next};
    }
    const auto result = job.value("lastRunResult", "");
    return {name, time(job.value("lastRunAt", USec{0})), result.empty() ? "-" : result, proven, next};
}

/// A line for the job, and one more for each further alert, so that 80 columns hold them.
void addStatus(std::vector<std::vector<std::string>>& rows, std::vector<std::string> status,
               const std::vector<std::string>& alerts) {
    status.push_back(alerts.empty() ? "" : alerts.front());
    const std::vector<std::string> blank(status.size() - 1);
    rows.push_back(std::move(status));
    for (std::size_t i = 1; i < alerts.size(); ++i) {
        auto& row = rows.emplace_back(blank);
        row.push_back(alerts[i]);
    }
}

/// Gives every job its `alerts`; whether there are any.
bool addAlerts(Context& context, Client::Objects& objects, const std::map<std::string, json>& live) {
    bool any = false;
    for (auto& job : objects.jobs) {
        const bool lives = live.contains(job.value("name", ""));
        auto seen = job;
        seen["mirrorOpen"] = !lives && hasOpenMirror(context.client, job);
        job["alerts"] = alertsOf(seen, lives, nowUSec());
        any = any || !job["alerts"].empty();
    }
    return any;
}

void showStatusOfJobs(Output& out, const std::vector<json>& jobs, const std::map<std::string, json>& live) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& job : jobs) {
        const auto run = live.find(job.value("name", ""));
        addStatus(rows, statusOf(job, run == live.end() ? nullptr : &run->second),
                  job.at("alerts").get<std::vector<std::string>>());
    }
    out.table({"JOB", "LAST RUN", "RESULT", "LAST PROVEN", "NEXT RUN", "ATTENTION"}, rows, 2, 5);
}

/// The files that are not in force as they are, and what status and reload exit with because of them.
int showBroken(Context& context, const json& broken) {
    for (const auto& file : broken) {
        if (context.out.json()) break;
        context.out.hint(fmt::format("{}: {}", file.at(0).get<std::string>(), file.at(1).get<std::string>()));
    }
    return broken.empty() ? exitWith::done : exitWith::failed;
}

} // namespace

int showStatus(Context& context, bool check) {
    auto service = context.client.managerProperties();
    service.erase("jobSchema"); // large, and the same for everybody
    auto objects = context.client.objects();
    const auto live = liveRuns(objects.runs);
    const bool alerts = addAlerts(context, objects, live);
    if (context.out.json())
        context.out.document({{"service", service}, {"jobs", objects.jobs}, {"runs", objects.runs}});
    else
        showStatusOfJobs(context.out, objects.jobs, live);
    const int status = showBroken(context, service.value("brokenJobs", json::array()));
    return check && alerts ? exitWith::failed : status;
}

int reload(Context& context) {
    context.client.reload();
    const auto broken = context.client.managerProperties().value("brokenJobs", json::array());
    if (context.out.json())
        context.out.document({{"brokenJobs", broken}});
    else if (broken.empty())
        context.out.line("Settings and jobs are loaded.");
    return showBroken(context, broken);
}

} // namespace holdfast::ctl
