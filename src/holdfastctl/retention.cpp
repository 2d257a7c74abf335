#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "util/format.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

constexpr std::size_t shownId = 8;

void showVerdicts(Output& out, const std::vector<json>& backups) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& backup : backups) {
        rows.push_back({backup.value("keep", true) ? "stays" : "goes", backup.value("run", "").substr(0, shownId),
                        formatLocalTime(backup.value("startedAt", USec{0})),
                        formatBytes(backup.value("size", std::uint64_t{0})), backup.value("why", "")});
    }
    if (rows.empty())
        out.line("The job has no backups at its destination.");
    else
        out.table({"", "BACKUP", "MADE", "SIZE", "WHY"}, rows);
}

void showOrphans(Output& out, const std::vector<json>& orphans) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& orphan : orphans) {
        const auto size = orphan.value("folder", false)    ? "folder"
                          : orphan.value("pending", false) ? "unfinished"
                                                           : formatBytes(orphan.value("size", std::uint64_t{0}));
        rows.push_back({orphan.value("name", ""), orphan.value("run", "").substr(0, shownId),
                        formatLocalTime(orphan.value("queuedAt", USec{0})), size});
    }
    if (rows.empty())
        out.line("There is nothing to remove.");
    else
        out.table({"NAME", "RUN", "BEGUN", "SIZE"}, rows);
}

} // namespace

int pruneJob(Context& context, const std::string& job, bool now, bool follow) {
    if (now) return showStarted(context, context.client.prune(job), follow, "The pruning");
    const auto backups = context.client.previewPrune(job);
    if (context.out.json()) {
        context.out.document(json(backups));
        return exitWith::done;
    }
    showVerdicts(context.out, backups);
    const bool any =
        std::any_of(backups.begin(), backups.end(), [](const json& backup) { return !backup.value("keep", true); });
    if (any) context.out.hint("Nothing was removed. The next run of the job does it, or --now.");
    return exitWith::done;
}

int tidyUp(Context& context, const BackupPlace& place, bool remove, bool anyRun, bool follow) {
    if (remove) return showStarted(context, context.client.removeOrphans(place, anyRun), follow, "The clean-up");
    const auto orphans = context.client.findOrphans(place, anyRun);
    if (context.out.json()) {
        context.out.document(json(orphans));
        return exitWith::done;
    }
    showOrphans(context.out, orphans);
    if (!orphans.empty()) context.out.hint("Nothing was removed; --delete does that.");
    return exitWith::done;
}

} // namespace holdfast::ctl
