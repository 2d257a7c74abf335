#include "live_rules.hpp"

#include "job/job.hpp"
#include "job/schedule.hpp"
#include "source/script_file.hpp"
#include "util/child.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

using Problems = std::vector<Problem>;

template<typename... Words>
ChildSpec command(Words&&... words) {
    ChildSpec spec;
    spec.argv = {std::forward<Words>(words)...};
    return spec;
}

std::string firstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

awaitable<void> checkRemote(const Rclone& rclone, const Job& job, Problems& problems) {
    const auto remotes = co_await rclone.remotes();
    const auto remote = remotes.find(job.remoteName);
    if (remote == remotes.end()) {
        problems.push_back(
            {"/remoteName", "no-such-remote",
             fmt::format("There is no remote \"{}\" in rclone's configuration; add it with "
                         "\"rclone config\" or pick one of those that \"holdfastctl remote list\" shows.",
                         job.remoteName)});
    } else if (remote->second == "compress" && job.compressionLevel()) {
        problems.push_back({"/preprocessConfig", "compressed-twice",
                            fmt::format("The remote \"{}\" compresses already: leave compressionLevel out, or pick the "
                                        "remote that it wraps.",
                                        job.remoteName)});
    }
}

awaitable<void> checkDataset(const ZfsConfig& zfs, Problems& problems) {
    std::string why;
    try {
        const auto answer = co_await runChild(command("zfs", "list", "-H", "-o", "name", "--", zfs.poolName), 30s);
        if (answer.status.ok()) co_return;
        why = firstLine(answer.errorTail);
    } catch (const Error& e) {
        why = e.what();
    }
    problems.push_back({"/preprocessConfig/zfs/poolName", "no-such-pool",
                        fmt::format("ZFS pool '{}' does not exist ({})", zfs.poolName, why)});
}

awaitable<void> checkSchedule(const Job& job, Problems& problems) {
    if (job.schedule.empty()) co_return;
    for (const auto& expression : toOnCalendar(job.schedule)) {
        const auto answer = co_await runChild(command("systemd-analyze", "calendar", "--", expression), 30s);
        if (answer.status.ok()) continue;
        problems.push_back(
            {"/schedule", "schedule",
             fmt::format("systemd does not understand the schedule \"{}\" ({}); see systemd.time(7), for "
                         "example \"*-*-* 03:00:00\" or \"Mon..Fri 22:30\".",
                         expression, firstLine(answer.errorTail))});
    }
}

} // namespace

awaitable<nlohmann::json> checkLiveRules(const Rclone& rclone, nlohmann::json document) {
    const auto job = parseJob(document);
    Problems problems;
    co_await checkRemote(rclone, job, problems);
    co_await checkSchedule(job, problems);
    if (const auto* zfs = std::get_if<ZfsConfig>(&job.source)) co_await checkDataset(*zfs, problems);
    if (const auto* script = std::get_if<ScriptConfig>(&job.source)) {
        for (auto& problem : scriptProblems(*script)) problems.push_back(std::move(problem));
    }

    auto list = nlohmann::json::array();
    for (const auto& p : problems) list.push_back({{"pointer", p.pointer}, {"code", p.code}, {"message", p.message}});
    nlohmann::json answer;
    answer["problems"] = std::move(list);
    co_return answer;
}

} // namespace holdfast
