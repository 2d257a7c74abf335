#include "bus/retention_requests.hpp"

#include "bus/job_requests.hpp"
#include "bus/object_path.hpp"
#include "bus/options.hpp"
#include "bus/remote_requests.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr USec longestUnknownRun = 7 * 86'400 * usecPerSec;
constexpr std::size_t mostAtOnce = 2000; // a plan is a file of limited size

const Keep& demandKeep(const Job& job) {
    if (job.keep) return *job.keep;
    throw Error(fmt::format("Job \"{}\" has no \"keep\": all of its backups stay.", job.name));
}

} // namespace

awaitable<RetentionRequests::Authorized> RetentionRequests::authorizePruning(Caller caller, std::string job) {
    Authorized authorized;
    authorized.job = services_.jobs.get(job);
    demandKeep(authorized.job);
    authorized.uid = co_await services_.polkit.authorize(std::move(caller), action::runJob, detailsOf(authorized.job));
    requireUnchanged(services_.jobs, authorized.job);
    co_return authorized;
}

awaitable<nlohmann::json> RetentionRequests::ask(Caller caller, nlohmann::json request) {
    const auto ticket = services_.probes.take(services_.polkit.uidOf(caller));
    request["rcloneConfig"] = services_.demandSettings().rcloneConfig.string();
    auto answer = co_await services_.prober.ask(std::move(request));
    if (answer.value("noSuchRemote", false)) throw NoSuchRemote(answer.value("error", ""));
    co_return answer;
}

Reply<std::vector<VariantMap>> RetentionRequests::previewPrune(Caller caller, std::string job, VariantMap options) {
    refuseOptions(options);
    const Authorized asked = co_await authorizePruning(caller, std::move(job));
    nlohmann::json request = nlohmann::json::object();
    request["ask"] = "prune";
    request["remote"] = asked.job.remoteName;
    request["path"] = asked.job.destinationPath;
    request["job"] = asked.job.name;
    request["keep"] = toJson(demandKeep(asked.job));
    request["provenRuns"] = services_.history.provenRuns(asked.job.name);
    const nlohmann::json answer = co_await ask(std::move(caller), std::move(request));
    std::vector<VariantMap> rows;
    for (const auto& row : answer.at("backups")) rows.push_back(toVariantMap(row));
    co_return std::tuple{std::move(rows)};
}

Reply<std::string, sdbus::ObjectPath> RetentionRequests::prune(Caller caller, std::string job, VariantMap options) {
    refuseOptions(options);
    const Authorized asked = co_await authorizePruning(std::move(caller), std::move(job));
    Plan plan = planTask(PruneTask{demandKeep(asked.job)}, asked.job, services_.demandSettings(), asked.uid);
    plan.provenRuns = services_.history.provenRuns(asked.job.name);
    const Run& run = services_.dispatcher.enqueue(std::move(plan));
    co_return std::tuple{run.plan.id, runPath(run.plan.id)};
}

RetentionRequests::Search RetentionRequests::parseSearch(std::string remote, std::string path,
                                                         VariantMap optionMap) const {
    Options options(std::move(optionMap));
    const bool anyRun = options.flag("anyRun");
    options.refuseRest();
    requireRemoteName(remote);
    requireBelowRemote(path);
    return {std::move(remote), std::move(path), anyRun, nowUSec()};
}

awaitable<std::uint32_t> RetentionRequests::authorizeSearch(Caller caller, Search search) {
    const auto place = search.remote + ":" + search.path;
    Details details;
    details.emplace("polkit.message",
                    "Authentication is required to look for remains of runs in " + quotedForPrompt(place));
    details.emplace("destination", busText(place));
    co_return co_await services_.polkit.authorize(std::move(caller), action::manageJobs, std::move(details));
}

/// It lives, or waits to be cleaned up, which removes what it has left.
bool RetentionRequests::isUnsettled(const std::string& idPart) const {
    const auto& runs = services_.dispatcher.runs();
    const bool lives = std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
        return !run.second.finished() && run.first.starts_with(idPart);
    });
    if (lives) return true;
    std::error_code none; // there may be no such folder yet
    for (const auto& ledger : std::filesystem::directory_iterator(services_.paths.ledgers(), none)) {
        if (ledger.path().filename().string().starts_with(idPart)) return true;
    }
    return false;
}

/// The id of this machine's run that the name tells of; empty if there is none in the history.
std::string RetentionRequests::runThatLeft(const nlohmann::json& orphan) const {
    for (const auto& entry : services_.history.withIdPart(orphan.at("IdPart").get<std::string>())) {
        if (entry.job == orphan.at("Job").get<std::string>()) return entry.id;
    }
    return "";
}

USec RetentionRequests::longestRun(const std::string& job) const {
    try {
        return services_.jobs.get(job).limits.runtimeMax.value_or(longestUnknownRun);
    } catch (const NoSuchJob&) {
        return longestUnknownRun;
    }
}

awaitable<nlohmann::json> RetentionRequests::orphans(Caller caller, Search search) {
    nlohmann::json request = nlohmann::json::object();
    request["ask"] = "orphans";
    request["remote"] = search.remote;
    request["path"] = search.path;
    const nlohmann::json answer = co_await ask(std::move(caller), std::move(request));
    auto found = nlohmann::json::array();
    for (auto row : answer.at("orphans")) {
        const auto run = runThatLeft(row);
        const bool known = !run.empty();
        if ((!known && !search.anyRun) || isUnsettled(row.at("IdPart").get<std::string>())) continue;
        const auto age = known ? longestRun(row.at("Job").get<std::string>()) : longestUnknownRun;
        if (row.at("QueuedAt").get<USec>() + age >= search.begun) continue;
        row["Run"] = known ? run : row.at("IdPart").get<std::string>();
        row.erase("IdPart");
        found.push_back(std::move(row));
    }
    co_return found;
}

Reply<std::vector<VariantMap>> RetentionRequests::findOrphans(Caller caller, std::string remote, std::string path,
                                                              VariantMap options) {
    const Search search = parseSearch(std::move(remote), std::move(path), std::move(options));
    co_await authorizeSearch(caller, search);
    const nlohmann::json found = co_await orphans(std::move(caller), search);
    std::vector<VariantMap> rows;
    for (const auto& row : found) rows.push_back(toVariantMap(row));
    co_return std::tuple{std::move(rows)};
}

Reply<std::string, sdbus::ObjectPath> RetentionRequests::removeOrphans(Caller caller, std::string remote,
                                                                       std::string path, VariantMap options) {
    const Search search = parseSearch(std::move(remote), std::move(path), std::move(options));
    const std::uint32_t uid = co_await authorizeSearch(caller, search);
    const nlohmann::json found = co_await orphans(std::move(caller), search);
    JanitorTask task{.names = {}, .olderThan = search.begun};
    for (const auto& row : found) {
        if (task.names.size() < mostAtOnce) task.names.push_back(row.at("Name").get<std::string>());
    }
    Job job; // of none in particular
    job.remoteName = search.remote;
    job.destinationPath = search.path;
    const Run& run =
        services_.dispatcher.enqueue(planTask(std::move(task), std::move(job), services_.demandSettings(), uid));
    co_return std::tuple{run.plan.id, runPath(run.plan.id)};
}

} // namespace holdfast
