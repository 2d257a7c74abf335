#include "bus/run_requests.hpp"

#include "bus/job_requests.hpp"
#include "bus/object_path.hpp"
#include "bus/options.hpp"
#include "bus/run_page.hpp"
#include "util/id.hpp"
#include "util/log.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr std::uint32_t defaultPage = 100;
constexpr std::uint32_t maxPage = 1000;
constexpr std::size_t maxFilterText = 256;
constexpr std::uint32_t timersUid = 0; // who asks for them: root

/// Who starts a job by hand means it; that it is disabled is about its schedules.
void requireEnabled(const Job& job) {
    if (job.enabled) return;
    throw JobDisabled(fmt::format("Job \"{}\" is disabled, so its schedules start nothing.", job.name));
}

HistoryFilter parseFilter(VariantMap map) {
    Options options(std::move(map));
    HistoryFilter filter;
    filter.job = options.text("job", maxFilterText);
    filter.result = options.text("result", maxFilterText);
    filter.since = options.number("since");
    filter.until = options.number("until");
    options.refuseRest();
    return filter;
}

std::vector<std::string> liveRunsOf(const Dispatcher& dispatcher, const std::string& job) {
    std::vector<std::string> ids;
    for (const auto& [id, run] : dispatcher.runs()) {
        if (run.plan.backsUp() && run.plan.job.name == job && !run.finished()) ids.push_back(id);
    }
    return ids;
}

/// A schedule that comes round while its job is not through with the last time starts nothing, rather than queue one
/// run after another. A timer's run of the last time that has not even begun makes way for the timer's next one.
void requireIdle(Dispatcher& dispatcher, const std::string& job, std::uint32_t uid) {
    const auto ids = liveRunsOf(dispatcher, job);
    for (const auto& id : ids) {
        if (uid == timersUid && dispatcher.waitsForATurn(id)) continue;
        const auto words =
            fmt::format("The scheduled start of job \"{}\" is skipped: its run {} is not over yet.", job, id);
        logNotice(words);
        throw AlreadyQueued(words);
    }
    for (const auto& id : ids) dispatcher.giveWay(id);
}

/// By a timer, so it tries again later. A mirror is in no state to be proven while a backup changes it.
void requireDrillable(const Dispatcher& dispatcher, const Job& job) {
    for (const auto& [id, run] : dispatcher.runs()) {
        if (run.finished() || run.plan.job.name != job.name) continue;
        if (run.plan.drills()) {
            throw AlreadyQueued(fmt::format(
                "The scheduled drill of job \"{}\" is skipped: its drill {} is not over yet.", job.name, id));
        }
        if (run.plan.backsUp() && job.mirrors()) {
            throw Error(fmt::format("Job \"{}\" has no drill now: its run {} is changing the mirror. Try again when it "
                                    "is over.",
                                    job.name, id));
        }
    }
}

DrillTask drillTaskOf(const Job& job, std::optional<bool> deep) {
    const auto config = job.drill.value_or(DrillConfig{});
    return {.deep = deep.value_or(config.deep), .maxSize = config.maxSize.value_or(0)};
}

/// The manifest's name of a backup that was put to `outputPath`; nothing if that is not in the job's destination now.
std::optional<std::string> manifestNameIn(const Job& job, const std::string& outputPath) {
    const std::string suffix = ".manifest.json";
    if (job.mirrors())
        return outputPath == job.destination() ? std::optional(job.name + ".mirror" + suffix) : std::nullopt;
    const auto folder = job.destination() + (job.destinationPath.empty() ? "" : "/");
    if (!outputPath.starts_with(folder) || outputPath.find('/', folder.size()) != outputPath.npos) return std::nullopt;
    return outputPath.substr(folder.size()) + suffix;
}

std::optional<EarlierBackup> earlierBackup(const History& history, const Job& job) {
    constexpr std::uint32_t lookedAt = 100;
    const auto done = history.lastSuccessOfJob(job.name);
    if (!done) return std::nullopt;
    const auto name = manifestNameIn(job, done->outputPath);
    if (!name || name->starts_with('.')) return std::nullopt;
    EarlierBackup earlier{.manifestName = *name};
    const auto& metadata = done->result.last.metadata;
    if (const auto ground = metadata.find("ground"); ground != metadata.end() && ground->is_object())
        earlier.ground = *ground;
    const auto last = history.lastOfJob(job.name);
    earlier.failedSince = last && last->id != done->id;
    HistoryFilter since;
    since.job = job.name;
    since.since = done->queuedAt;
    for (const auto& entry : history.list(since, lookedAt, 0)) {
        if (entry.kind == "prune" && entry.result.result == "done") earlier.agreedSince = true;
    }
    return earlier;
}

std::string runError(const std::string& id, const std::exception& e) {
    return busText(fmt::format("{}: {}", id, e.what()));
}

} // namespace

Reply<std::string, sdbus::ObjectPath> RunRequests::start(Caller caller, std::string job, VariantMap options) {
    Options given(std::move(options));
    const bool scheduled = given.flag("scheduled");
    given.refuseRest();
    const Job asked = services_.jobs.get(job);
    if (scheduled) requireEnabled(asked);
    const std::uint32_t uid = co_await services_.polkit.authorize(caller, action::runJob, detailsOf(asked));
    requireUnchanged(services_.jobs, asked);
    if (scheduled) requireIdle(services_.dispatcher, job, uid);
    Plan plan = planRun(asked, services_.demandSettings(), uid);
    plan.scheduled = scheduled && uid == timersUid;
    if (asked.keep) plan.provenRuns = services_.history.provenRuns(job);
    plan.earlier = earlierBackup(services_.history, asked);
    const Run& run = services_.dispatcher.enqueue(std::move(plan));
    co_return std::tuple{run.plan.id, runPath(run.plan.id)};
}

/// A job that is disabled has backups, too. A drill hands out nothing of them, so who may start a job may prove it.
Reply<std::string, sdbus::ObjectPath> RunRequests::drill(Caller caller, std::string job, VariantMap options) {
    Options given(std::move(options));
    const bool scheduled = given.flag("scheduled");
    const auto deep = given.optionalFlag("deep");
    given.refuseRest();
    const Job asked = services_.jobs.get(job);
    if (scheduled) requireEnabled(asked);
    Details details = detailsOf(asked);
    details.emplace("polkit.message", "Authentication is required to drill the newest backup of job " + asked.name);
    const std::uint32_t uid = co_await services_.polkit.authorize(caller, action::runJob, std::move(details));
    requireUnchanged(services_.jobs, asked);
    if (scheduled) requireDrillable(services_.dispatcher, asked);
    Plan plan = planTask(drillTaskOf(asked, deep), asked, services_.demandSettings(), uid);
    plan.scheduled = scheduled && uid == timersUid;
    const Run& run = services_.dispatcher.enqueue(std::move(plan));
    co_return std::tuple{run.plan.id, runPath(run.plan.id)};
}

Reply<std::vector<std::string>, std::vector<std::string>> RunRequests::stop(Caller caller, std::string job,
                                                                            VariantMap options) {
    refuseOptions(options);
    const auto ids = liveRunsOf(services_.dispatcher, job);
    if (ids.empty()) static_cast<void>(services_.jobs.get(job)); // a job that was removed may still run
    std::vector<std::string> errors;
    std::exception_ptr refusal;
    std::vector<std::pair<std::string, std::uint32_t>> allowed;
    for (const auto& id : ids) {
        try {
            allowed.emplace_back(id, co_await authorizeCancel(caller, id));
        } catch (const Error& e) {
            refusal = std::current_exception();
            errors.push_back(runError(id, e));
        }
    }
    if (refusal && allowed.empty()) std::rethrow_exception(refusal);

    const Outbox::Hold hold(services_.outbox);
    std::vector<std::string> stopped;
    for (const auto& [id, uid] : allowed) {
        try {
            co_await services_.dispatcher.cancel(id, uid);
            stopped.push_back(id);
        } catch (const std::exception& e) {
            errors.push_back(runError(id, e));
        }
    }
    co_return std::tuple{std::move(stopped), std::move(errors)};
}

Reply<> RunRequests::cancel(Caller caller, std::string id, VariantMap options) {
    refuseOptions(options);
    const std::uint32_t uid = co_await authorizeCancel(std::move(caller), id);
    const Outbox::Hold hold(services_.outbox);
    co_await services_.dispatcher.cancel(id, uid);
    co_return std::tuple{};
}

awaitable<std::uint32_t> RunRequests::authorizeCancel(Caller caller, std::string id) {
    const auto found = services_.dispatcher.runs().find(id);
    if (found == services_.dispatcher.runs().end()) throw NoSuchRun(fmt::format("There is no live run {}.", id));
    const std::uint32_t startedBy = found->second.plan.startedByUid;
    Details details = detailsOf(found->second.plan.job);
    details.emplace("run", id);
    const std::uint32_t uid = services_.polkit.uidOf(caller);
    const char* needed = uid == startedBy ? action::cancelRun : action::cancelOtherRun;
    co_return co_await services_.polkit.authorize(std::move(caller), needed, std::move(details));
}

RunView RunRequests::get(const std::string& id) const {
    const auto live = services_.dispatcher.runs().find(id);
    if (live != services_.dispatcher.runs().end()) return viewOf(live->second);
    const auto past = services_.history.find(id);
    if (!past) throw NoSuchRun(fmt::format("There is no run {}, neither alive nor in the history.", id));
    return viewOf(*past);
}

Reply<VariantMap> RunRequests::find(Caller caller, std::string id, VariantMap options) {
    Options given(std::move(options));
    const bool details = given.flag("details");
    given.refuseRest();
    if (!isId(id)) throw InvalidArgs("A run's id is 32 hexadecimal digits in lower case.");
    RunView view = get(id);
    const std::uint32_t uid = services_.polkit.uidOf(caller);
    if (!details || mayReadAll(view, uid)) co_return std::tuple{toProperties(shownTo(uid, std::move(view)))};
    Details about;
    about.emplace("job", view.job);
    co_await services_.polkit.authorize(std::move(caller), action::readConfig, std::move(about));
    co_return std::tuple{toProperties(get(id))}; // time has passed
}

Reply<std::vector<VariantMap>> RunRequests::list(Caller caller, std::uint32_t limit, std::uint32_t offset,
                                                 VariantMap filterMap) {
    const HistoryFilter filter = parseFilter(std::move(filterMap));
    const std::uint32_t page = limit == 0 ? defaultPage : std::min(limit, maxPage);

    // Lately finished runs are in the history already.
    std::vector<RunView> live;
    for (const auto& [id, run] : services_.dispatcher.runs()) {
        if (run.finished()) continue;
        RunView view = viewOf(run);
        if (matches(view, filter)) live.push_back(std::move(view));
    }
    const HistoryWindow window = historyWindow(static_cast<std::uint32_t>(live.size()), page, offset);
    std::vector<RunView> past;
    for (const auto& entry : services_.history.list(filter, window.limit, window.offset)) {
        past.push_back(viewOf(entry));
    }
    const std::uint32_t uid = services_.polkit.uidOf(caller);
    std::vector<VariantMap> rows;
    for (auto& view : mergePage(std::move(live), std::move(past), page, offset)) {
        rows.push_back(toProperties(shownTo(uid, std::move(view))));
    }
    co_return std::tuple{std::move(rows)};
}

} // namespace holdfast
