#include "janitor.hpp"

#include "transfer/orphans.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

constexpr std::size_t idPartLength = 8;

/// Of runs that live or are not cleaned up yet: the beginnings of their ids.
std::set<std::string> unsettledRuns(const Paths& paths) {
    std::set<std::string> runs;
    for (const auto& folder : {paths.ledgers(), paths.queue()}) {
        if (!std::filesystem::exists(folder)) continue;
        for (const auto& file : std::filesystem::directory_iterator(folder)) {
            runs.insert(file.path().filename().string().substr(0, idPartLength));
        }
    }
    return runs;
}

} // namespace

awaitable<void> removeOrphans(const Plan& plan, const Paths& paths, Reporter& reporter) {
    const auto& task = std::get<JanitorTask>(plan.task);
    const Rclone rclone(plan.settings.rcloneConfig);
    reporter.phase("pruning");
    auto place = plan.atDestination({});
    const auto entries = co_await listAll(rclone, place);

    std::vector<std::string> removed;
    reporter.metadata({{"removed", removed}});
    for (const auto& orphan : orphansAmong(entries, task.olderThan)) {
        const bool asked = std::find(task.names.begin(), task.names.end(), orphan.name) != task.names.end();
        if (!asked || unsettledRuns(paths).contains(orphan.run.idPart)) continue;
        co_await removeOrphan(rclone, place, orphan);
        logInfo(fmt::format("Removed {}, which is part of no backup.", orphan.name));
        removed.push_back(orphan.name);
        reporter.metadata({{"removed", removed}});
    }
}

awaitable<nlohmann::json> findOrphans(const Rclone& rclone, nlohmann::json request) {
    auto folder = request.at("remote").get<std::string>() + ":" + request.at("path").get<std::string>();
    const auto entries = co_await listAll(rclone, std::move(folder));
    auto rows = nlohmann::json::array();
    for (const auto& orphan : orphansAmong(entries, nowUSec())) {
        rows.push_back({{"Name", orphan.name},
                        {"Job", orphan.run.job},
                        {"IdPart", orphan.run.idPart},
                        {"QueuedAt", orphan.run.queuedAt},
                        {"Folder", orphan.folder},
                        {"Pending", orphan.pending},
                        {"Size", orphan.size}});
    }
    nlohmann::json answer;
    answer["orphans"] = std::move(rows);
    co_return answer;
}

} // namespace holdfast
