#include "bus/job_requests.hpp"

#include "bus/object_path.hpp"
#include "bus/options.hpp"
#include "job/document.hpp"
#include "util/log.hpp"

#include <fmt/format.h>

namespace holdfast {

namespace {

/// How long a caller waits for its job's timer, so that NextRunAt is true when it has its answer.
constexpr auto timersLimit = std::chrono::seconds(5);

bool runsScript(const Job& job) { return job.sourceType() == SourceType::Script; }

} // namespace

Details detailsOf(const Job& job) {
    return {{"job", busText(job.name)},
            {"source", busText(job.sourceDescription())},
            {"sourceType", toString(job.sourceType())},
            {"destination", busText(job.destination())}};
}

const Settings& Services::demandSettings() const {
    if (settingsKnown) return settings;
    throw Error(fmt::format("The settings cannot be used, so nothing is started: {} Mend the file, then \"holdfastctl "
                            "reload\".",
                            settingsFault));
}

void requireUnchanged(const JobStore& jobs, const Job& authorized) {
    if (jobs.get(authorized.name).text == authorized.text) return;
    throw Error(fmt::format("Job \"{}\" was changed while this was being authorized; try again.", authorized.name));
}

void logBrokenJobs(const JobStore& jobs) {
    for (const auto& broken : jobs.broken()) logWarning(fmt::format("Job file {}: {}", broken.file, broken.why));
}

JobRequests::JobRequests(Services& services, JobChecks& checks, std::function<void()> changed)
    : services_(services), checks_(checks), changed_(std::move(changed)) {}

/// `script`: whether the job runs a script, or did so far.
awaitable<std::uint32_t> JobRequests::authorizeManaging(Caller caller, Job job, bool script) {
    const Details details = detailsOf(job);
    const std::uint32_t uid = co_await services_.polkit.authorize(caller, action::manageJobs, details);
    if (script) co_await services_.polkit.authorize(caller, action::manageScriptJobs, details);
    co_return uid;
}

/// Of a change to the store: shown, and the timers follow.
awaitable<void> JobRequests::takeEffect() {
    const Outbox::Hold hold(services_.outbox);
    changed_();
    co_await services_.schedules.settled(timersLimit);
    co_await services_.drills.settled(timersLimit);
}

/// What only the running system can tell: does the dataset, the script, the remote exist; is the schedule one.
awaitable<std::vector<Problem>> JobRequests::liveProblems(Caller caller, Job job) {
    const auto ticket = services_.probes.take(services_.polkit.uidOf(caller));
    nlohmann::json question = nlohmann::json::object();
    question["ask"] = "job";
    question["job"] = job.document();
    question["rcloneConfig"] = services_.demandSettings().rcloneConfig.string();
    const nlohmann::json answer = co_await services_.prober.ask(std::move(question));

    std::vector<Problem> problems;
    for (const auto& problem : answer.at("problems")) {
        problems.push_back({problem.at("pointer").get<std::string>(), problem.at("code").get<std::string>(),
                            problem.at("message").get<std::string>()});
    }
    co_return problems;
}

awaitable<void> JobRequests::requireLive(Caller caller, Job job) {
    auto problems = co_await liveProblems(std::move(caller), std::move(job));
    if (!problems.empty()) throw InvalidJob(std::move(problems));
}

Reply<sdbus::ObjectPath> JobRequests::create(Caller caller, std::string config, VariantMap options) {
    refuseOptions(options);
    const Job job = parseJob(config);
    if (services_.jobs.jobs().contains(job.name)) {
        throw JobExists(fmt::format("There is already a job {}; update or remove that one.", shown(job.name)));
    }
    const std::uint32_t uid = co_await authorizeManaging(caller, job, runsScript(job));
    co_await requireLive(caller, job);
    services_.jobs.add(job);
    logNotice(fmt::format("Job \"{}\" was created by uid {}.", job.name, uid));
    co_await takeEffect();
    co_return std::tuple{jobPath(job.name)};
}

Reply<std::vector<JobRequests::ProblemRow>> JobRequests::validate(Caller caller, std::string config,
                                                                  VariantMap options) {
    refuseOptions(options);
    std::vector<Problem> problems;
    try {
        const Job job = parseJob(config);
        // Whoever may not manage jobs would otherwise learn here what lies on this machine.
        if (co_await services_.polkit.allowsUnasked(caller, action::manageJobs, detailsOf(job))) {
            problems = co_await liveProblems(caller, job);
        }
    } catch (const InvalidJob& invalid) {
        problems = invalid.problems();
    }
    std::vector<ProblemRow> rows;
    for (const auto& p : problems) rows.emplace_back(busText(p.pointer), busText(p.code), busText(p.message));
    co_return std::tuple{std::move(rows)};
}

Reply<sdbus::ObjectPath> JobRequests::find(std::string name, VariantMap options) {
    refuseOptions(options);
    co_return std::tuple{jobPath(services_.jobs.get(name).name)};
}

Reply<std::vector<JobRequests::JobRow>> JobRequests::list(VariantMap options) {
    refuseOptions(options);
    std::vector<JobRow> rows;
    for (const auto& [name, job] : services_.jobs.jobs()) rows.emplace_back(name, jobPath(name));
    co_return std::tuple{std::move(rows)};
}

Reply<std::string> JobRequests::config(Caller caller, std::string name, VariantMap options) {
    refuseOptions(options);
    const Job job = services_.jobs.get(name);
    co_await services_.polkit.authorize(caller, action::readConfig, detailsOf(job));
    requireUnchanged(services_.jobs, job);
    co_return std::tuple{job.document().dump(2, ' ', true)};
}

Reply<> JobRequests::update(Caller caller, std::string name, std::string mergePatch, VariantMap options) {
    refuseOptions(options);
    const Job before = services_.jobs.get(name);
    const Job after = services_.jobs.merged(name, mergePatch);
    const bool script = runsScript(before) || runsScript(after);
    const std::uint32_t uid = co_await authorizeManaging(caller, after, script);
    // A job whose remote is gone must still be one that can be disabled.
    if (after.enabled) co_await requireLive(caller, after);
    requireUnchanged(services_.jobs, before);
    services_.jobs.replace(after);
    logNotice(fmt::format("Job \"{}\" was updated by uid {}.", name, uid));
    co_await takeEffect();
    co_return std::tuple{};
}

Reply<> JobRequests::remove(Caller caller, std::string name, VariantMap options) {
    refuseOptions(options);
    const Job job = services_.jobs.get(name);
    const std::uint32_t uid = co_await authorizeManaging(caller, job, runsScript(job));
    requireUnchanged(services_.jobs, job);
    services_.jobs.remove(name);
    logNotice(fmt::format("Job \"{}\" was removed by uid {}.", name, uid));
    co_await takeEffect();
    co_return std::tuple{};
}

Reply<> JobRequests::reload(Caller caller, VariantMap options) {
    refuseOptions(options);
    // The action's own message names a job.
    Details details;
    details.emplace("polkit.message", "Authentication is required to read the backup jobs and settings again");
    co_await services_.polkit.authorize(caller, action::manageJobs, std::move(details));
    {
        const Outbox::Hold hold(services_.outbox);
        reloadNow();
        co_await services_.schedules.settled(timersLimit);
        co_await services_.drills.settled(timersLimit);
    }
    co_await checks_.look(); // which takes its time; nobody's signals wait for that
    co_return std::tuple{};
}

void JobRequests::reloadNow() {
    services_.jobs.reload();
    services_.schedules.lookAgain();
    services_.drills.lookAgain();
    logBrokenJobs(services_.jobs);
    changed_();
    reloadSettings();
    changed_();
}

void JobRequests::reloadSettings() {
    try {
        services_.settings = loadSettings(services_.paths.settings());
    } catch (const std::exception& e) {
        services_.settingsFault = e.what();
        changed_();
        throw;
    }
    services_.settingsFault.clear();
    services_.settingsKnown = true;
    services_.dispatcher.applySettings(services_.settings);
}

} // namespace holdfast
