#include "pruning.hpp"

#include "stored.hpp"

#include "run/retention.hpp"
#include "transfer/prune.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

/// Whether `owner` could have made it: others are none of a job's business.
bool concerns(const StoredBackup& backup, const Owner& owner) {
    return isNamedAfter(backup, owner.job) && (!backup.manifest || isMadeBy(*backup.manifest, owner.machine));
}

/// The runs that made the backups which one that goes on, or waits, is to read.
void addReadBy(const Plan& reader, const std::vector<StoredBackup>& backups, std::set<std::string>& runs) {
    std::string wanted;
    if (const auto* restore = std::get_if<RestoreTask>(&reader.task)) wanted = restore->backup;
    if (const auto* verify = std::get_if<VerifyTask>(&reader.task)) wanted = verify->backup;
    for (const auto& backup : backups) {
        if (!backup.manifest) continue;
        const bool isRead = wanted.empty() ? backup.manifest->job == reader.job.name : backup.manifest->run == wanted;
        if (!isRead) continue;
        runs.insert(backup.manifest->run);
        try {
            for (const auto* link : chainOf(backups, backup)) runs.insert(link->manifest->run);
        } catch (const Error&) { // it is not whole, which its reader will say
        }
    }
}

/// Of the backups, those that other runs are to read. A plan lies in the queue folder until its run's end is recorded.
std::set<std::string> beingRead(const Plan& plan, const Paths& paths, const std::vector<StoredBackup>& backups) {
    constexpr std::size_t maxPlan = 1024 * 1024;
    std::set<std::string> runs;
    std::error_code noFolder;
    for (const auto& file : std::filesystem::directory_iterator(paths.queue(), noFolder)) {
        try {
            const auto text = readFileIfThere(file.path(), maxPlan);
            if (!text || file.path().extension() != ".json") continue;
            const auto other = planFromJson(nlohmann::json::parse(*text));
            const bool reads = std::holds_alternative<RestoreTask>(other.task) ||
                               std::holds_alternative<VerifyTask>(other.task) || other.drills();
            if (reads && other.atDestination({}) == plan.atDestination({})) addReadBy(other, backups, runs);
        } catch (const std::exception& e) {
            logWarning(fmt::format("The plan {} cannot be read: {}", file.path().string(), e.what()));
        }
    }
    return runs;
}

nlohmann::json rowOf(const StoredBackup& backup, const Verdict& verdict) {
    nlohmann::json row{{"Manifest", backup.manifestName}, {"Keep", verdict.stays}, {"Why", verdict.why}};
    if (!backup.manifest) return row;
    row["Run"] = backup.manifest->run;
    row["StartedAt"] = backup.manifest->startedAt;
    row["Size"] = storedSize(*backup.manifest);
    return row;
}

} // namespace

awaitable<void> prune(const Plan& plan, const Keep& keep, const Paths& paths, Ledger& ledger, Reporter& reporter) {
    const Rclone rclone(plan.settings.rcloneConfig);
    reporter.phase("pruning");
    const auto backups = co_await backupsOfPlan(rclone, plan, paths, ledger);
    const std::string justMade = plan.backsUp() ? plan.id : "";
    const auto verdicts = judge(keep, versionsOf(backups, ownerOf(plan), nowUSec()), plan.provenRuns, justMade);

    std::vector<std::string> pruned;
    std::vector<std::string> read;
    reporter.metadata({{"pruned", pruned}});
    for (std::size_t i = 0; i < backups.size(); ++i) {
        if (verdicts[i].stays) continue;
        const auto readers = beingRead(plan, paths, backups); // anew, as some may have come meanwhile
        if (readers.contains(backups[i].manifest->run)) {
            logInfo(fmt::format("The backup {} stays for now: another run reads it.", backups[i].manifestName));
            read.push_back(backups[i].manifestName);
            reporter.metadata({{"beingRead", read}});
            continue;
        }
        auto folder = plan.atDestination({});
        co_await removeBackup(rclone, std::move(folder), backups[i]);
        logInfo(fmt::format("Removed the backup {}: {}.", backups[i].manifestName, verdicts[i].why));
        pruned.push_back(backups[i].manifestName);
        reporter.metadata({{"pruned", pruned}});
    }
}

awaitable<void> pruneAfterBackup(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter,
                                 Warnings& warnings) {
    if (!plan.job.keep) co_return;
    if (warnings.ofGround()) {
        reporter.metadata({{"pruned", nlohmann::json::array()}});
        co_return;
    }
    auto pruning = prune(plan, *plan.job.keep, paths, ledger, reporter);
    const auto failure = co_await caught(std::move(pruning));
    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (!failure || toldToStop) co_return;
    const auto words =
        fmt::format("Not all old backups could be removed; the next run tries again. {}", sentenceOf(failure));
    warnings.give({"cannot prune", words});
    reporter.metadata({{"pruneProblem", words}});
}

awaitable<nlohmann::json> previewPrune(const Rclone& rclone, nlohmann::json request, std::filesystem::path scratch) {
    const auto path = request.at("path").get<std::string>();
    const Owner owner{request.at("job").get<std::string>(), thisMachine()};
    const auto proven = request.at("provenRuns").get<std::vector<std::string>>();
    auto folder = request.at("remote").get<std::string>() + ":" + path;
    const auto backups = co_await readBackups(rclone, std::move(folder), std::move(scratch));
    const auto verdicts = judge(keepFromJson(request.at("keep")), versionsOf(backups, owner, nowUSec()), proven);
    auto rows = nlohmann::json::array();
    for (std::size_t i = 0; i < backups.size(); ++i) {
        if (concerns(backups[i], owner)) rows.push_back(rowOf(backups[i], verdicts[i]));
    }
    nlohmann::json answer;
    answer["backups"] = std::move(rows);
    co_return answer;
}

} // namespace holdfast
