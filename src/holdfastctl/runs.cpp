#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/run_lookup.hpp"
#include "util/error.hpp"
#include "util/format.hpp"

#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

/// Streams and copies are one thing to people: backups.
std::string kindOf(const json& run) { return backsUp(run) ? "backup" : run.value("kind", ""); }

std::string startOf(const json& run) {
    return formatLocalTime(run.value("startedAt", USec{0}) != 0 ? run.value("startedAt", USec{0})
                                                                : run.value("queuedAt", USec{0}));
}

std::string spanBetween(const json& run, const char* from, const char* to) {
    const auto begin = run.value(from, USec{0});
    const auto end = run.value(to, USec{0});
    return begin == 0 || end < begin ? "" : formatSpan(end - begin);
}

/// How it ended, or how it stands.
std::string stateOf(const json& run) {
    const auto result = run.value("result", "");
    return result.empty() ? run.value("state", "") : result;
}

std::string bytesOf(const json& run) {
    const auto done = run.value("bytesDone", std::uint64_t{0});
    const auto total = run.value("bytesTotal", std::uint64_t{0});
    if (total == 0 || total == done) return formatBytes(done);
    const auto* about = run.value("bytesTotalEstimated", false) ? "~" : "";
    return fmt::format("{} of {}{}", formatBytes(done), about, formatBytes(total));
}

/// It is over, and nothing is where it was to bring it.
bool cameToNothing(const json& run) {
    const auto result = run.value("result", "");
    return !result.empty() && result != "done";
}

std::string textOf(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void showAsText(Output& out, const json& run) {
    const auto attempt = run.value("attempt", 0U);
    std::vector<std::pair<std::string, std::string>> fields = {
        {"Run", run.value("id", "")},
        {"Job", run.value("job", "")},
        {"Kind", run.value("kind", "")},
        {"State", stateOf(run)},
        {"Phase", run.value("phase", "")},
        {"Waits for", run.value("blockedOn", "")},
        {"Error", run.value("error", "")},
        {"Attempt", attempt == 0 ? "" : fmt::format("{} of {}", attempt, run.value("maxAttempts", 0U))},
        {"Moved", bytesOf(run)},
        {"Queued", formatLocalTime(run.value("queuedAt", USec{0}))},
        {"Started", formatLocalTime(run.value("startedAt", USec{0}))},
        {"Finished", formatLocalTime(run.value("finishedAt", USec{0}))},
        {"Took", spanBetween(run, "startedAt", "finishedAt")},
        {cameToNothing(run) ? "Meant for" : "Output", run.value("outputPath", "")},
        {"Unit", run.value("unit", "")},
        {"Started by", fmt::format("uid {}", run.value("startedByUid", 0U))},
    };
    const auto metadata = run.value("metadata", json::object());
    for (const auto& [name, value] : metadata.items()) fields.emplace_back(name, textOf(value));
    out.fields(fields);
}

int showStarted(Context& context, const std::string& job, const StartedRun& run, bool follow, const std::string& what) {
    if (follow) return followRun(context, run.id);
    if (context.out.json()) {
        context.out.document({{"id", run.id}, {"run", run.path}, {"job", job}});
        return exitWith::done;
    }
    context.out.line(run.id);
    if (context.out.onTerminal()) {
        context.out.hint(fmt::format("{} 'holdfastctl follow {}' shows how it goes.", what, job));
    }
    return exitWith::done;
}

/// Starts what a timer is for. What the timer cannot know is no failure.
template<typename Start>
int asTimer(Context& context, const std::string& job, const char* what, Start start) {
    try {
        const StartedRun run = start();
        context.out.line(fmt::format("{} {} of job {} was started by its schedule.", what, run.id, job));
    } catch (const ServiceError& error) {
        static const std::set<std::string> expected = {"org.holdfast1.Error.AlreadyQueued",
                                                       "org.holdfast1.Error.Disabled", "org.holdfast1.Error.NoSuchJob"};
        if (!expected.contains(error.name())) throw;
        context.out.line(error.what());
    }
    return exitWith::done;
}

/// The run's own answer where its object is gone.
[[noreturn]] void throwEnded(Client& client, const std::string& id) {
    const auto run = client.run(id);
    throw Error(fmt::format("Run {} cannot be cancelled: it has ended ({}).", id, stateOf(run)));
}

} // namespace

int startJob(Context& context, const std::string& name, bool follow) {
    const auto run = context.client.startJob(name);
    const auto blockedOn = follow ? "" : context.client.run(run.id).value("blockedOn", "");
    const auto what = blockedOn.empty() ? fmt::format("Job {} started.", name)
                                        : fmt::format("The run of job {} is queued and waits: {}.", name, blockedOn);
    return showStarted(context, name, run, follow, what);
}

int startScheduled(Context& context, const std::string& name) {
    return asTimer(context, name, "Run", [&] { return context.client.startJob(name, true); });
}

int drillJob(Context& context, const std::string& name, bool follow, std::optional<bool> deep) {
    return showStarted(context, name, context.client.drill(name, false, deep), follow,
                       fmt::format("The drill of job {} has begun.", name));
}

int drillScheduled(Context& context, const std::string& name) {
    return asTimer(context, name, "Drill", [&] { return context.client.drill(name, true, {}); });
}

int stopJob(Context& context, const std::string& name) {
    const auto result = context.client.stopJob(name);
    if (context.out.json()) {
        context.out.document({{"job", name}, {"stopped", result.stopped}, {"errors", result.errors}});
    } else {
        for (const auto& id : result.stopped) context.out.line(fmt::format("Run {} is being cancelled.", id));
        for (const auto& error : result.errors) context.out.hint(error);
        if (result.stopped.empty() && result.errors.empty()) context.out.line(fmt::format("Job {} has no run.", name));
    }
    return result.errors.empty() ? exitWith::done : exitWith::failed;
}

int listRuns(Context& context, const RunFilter& filter, std::uint32_t limit) {
    const auto runs = context.client.runs(limit, filter);
    if (context.out.json()) {
        context.out.document(runs);
        return exitWith::done;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& run : runs) {
        rows.push_back({run.value("id", "").substr(0, 8), run.value("job", ""), kindOf(run), startOf(run),
                        spanBetween(run, "startedAt", "finishedAt"), bytesOf(run), stateOf(run),
                        run.value("error", "")});
    }
    context.out.table({"RUN", "JOB", "KIND", "STARTED", "TOOK", "MOVED", "RESULT", "ERROR"}, rows, 6);
    return exitWith::done;
}

int showRun(Context& context, const std::string& which) {
    const auto run = context.client.run(resolveRun(context.client, which));
    if (context.out.json())
        context.out.document(run);
    else
        showAsText(context.out, run);
    return exitWith::done;
}

int cancelRun(Context& context, const std::string& which) {
    const auto id = resolveRun(context.client, which, OfJob::LiveRun);
    try {
        context.client.cancelRun(id);
    } catch (const ServiceError& error) {
        if (error.name().starts_with("org.freedesktop.DBus.Error.Unknown")) throwEnded(context.client, id);
        throw;
    }
    if (context.out.json())
        context.out.document({{"id", id}});
    else
        context.out.line(fmt::format("Run {} is being cancelled.", id));
    return exitWith::done;
}

int showLog(Context& context, const std::string& which, bool follow) {
    const auto id = resolveRun(context.client, which);
    // Everybody can write a line with these fields; who wrote it (_UID, _SYSTEMD_UNIT) is the journal's own word. A
    // script has a user of its own.
    const auto ofRun = "HOLDFAST_RUN=" + id;
    const auto ofManager = fmt::format("UNIT=holdfast-run-{}.service", id);
    const auto ofScript = fmt::format("_SYSTEMD_UNIT=holdfast-script-{}.service", id);
    constexpr auto byRoot = "_UID=0";
    std::vector<const char*> argv = {"journalctl",      ofRun.c_str(), byRoot, "+",
                                     ofManager.c_str(), byRoot,        "+",    ofScript.c_str()};
    if (context.out.json()) argv.push_back("--output=json");
    if (follow) argv.insert(argv.end(), {"--follow", "--no-tail"});
    argv.push_back(nullptr);
    ::execvp(argv[0], const_cast<char* const*>(argv.data()));
    throwErrno("run journalctl");
}

} // namespace holdfast::ctl
