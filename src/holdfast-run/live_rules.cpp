#include "live_rules.hpp"

#include "destination.hpp"

#include "job/job.hpp"
#include "job/schedule.hpp"
#include "source/engine.hpp"
#include "source/flash_repository.hpp"
#include "source/plain.hpp"
#include "source/script_file.hpp"
#include "util/child.hpp"
#include "util/held_path.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
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

using Remotes = std::map<std::string, std::string>; ///< types by name

/// The others are disks of this machine, as a rule, and need not be asked; the run looks again.
bool mayBeElsewhere(const Remotes& remotes, const Job& job) {
    const auto remote = remotes.find(job.remoteName);
    return remote != remotes.end() && remote->second != "local" && remote->second != "alias";
}

/// Whether the remote can take it. One that does not answer now may do so when the job runs.
awaitable<void> checkPlace(const Rclone& rclone, const Job& job, Problems& problems) {
    const auto hurried = rclone.hurried(10s);
    try {
        const auto features = co_await hurried.features(job.remoteName);
        if (job.streams() && !features.streams)
            problems.push_back({"/remoteName", "no-streams", noStreamsTo(job.remoteName)});
        if (!features.buckets || !features.root.empty()) co_return;
        if (job.destinationPath.empty()) {
            problems.push_back({"/destinationPath", "no-bucket", noBucketIn(job.remoteName)});
            co_return;
        }
        const auto found = co_await hurried.listIfThere(job.destination(), "*.mirror.manifest.json");
        if (!found) problems.push_back({"/destinationPath", "no-such-bucket", noSuchBucket(job.destination())});
    } catch (const TransferError& e) {
        logNotice(fmt::format("What the remote can do is not checked. {}", e.what()));
    }
}

void checkRemote(const Remotes& remotes, const Job& job, Problems& problems) {
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

/// The pointer to a name, which may stand alone or in a list.
std::string pointerTo(const Job& job, const char* field, std::size_t index) {
    const auto pointer = fmt::format("/preprocessConfig/docker/{}", field);
    const bool isList = job.document().at(nlohmann::json::json_pointer(pointer)).is_array();
    return isList ? fmt::format("{}/{}", pointer, index) : pointer;
}

awaitable<void> checkNames(const Engine& engine, const Job& job, Problems& problems) {
    const auto& docker = std::get<DockerConfig>(job.source);
    for (std::size_t i = 0; i < docker.containerName.size(); ++i) {
        const auto container = co_await engine.container(docker.containerName[i]);
        if (container) continue;
        problems.push_back(
            {pointerTo(job, "containerName", i), "no-such-container",
             fmt::format("Container '{}' does not exist at {}", docker.containerName[i], engine.socket().string())});
    }
    for (std::size_t i = 0; i < docker.volumeName.size(); ++i) {
        const auto volume = co_await engine.volume(docker.volumeName[i]);
        if (volume) continue;
        problems.push_back(
            {pointerTo(job, "volumeName", i), "no-such-volume",
             fmt::format("Volume '{}' does not exist at {}", docker.volumeName[i], engine.socket().string())});
    }
}

awaitable<void> checkEngine(const Job& job, Problems& problems) {
    const auto& docker = std::get<DockerConfig>(job.source);
    std::string why;
    try {
        const Engine engine(Engine::findSocket(docker.engineSocket));
        co_await checkNames(engine, job, problems);
        co_return;
    } catch (const Error& e) {
        why = e.what();
    }
    problems.push_back(
        {docker.engineSocket ? "/preprocessConfig/docker/engineSocket" : "/preprocessConfig/docker", "no-engine", why});
}

/// What systemd says of expressions; asked once for each.
class Calendar {
  public:
    struct Answer {
        bool understood = true;
        std::string refusal; ///< in systemd's words
        bool comes = true;   ///< ever again
    };
    awaitable<Answer> ask(std::string expression) {
        if (const auto known = answers_.find(expression); known != answers_.end()) co_return known->second;
        const auto said = co_await runChild(command("systemd-analyze", "calendar", "--", expression), 30s);
        Answer answer;
        answer.understood = said.status.ok();
        answer.refusal = firstLine(said.errorTail);
        answer.comes = !answer.understood || said.out.find("Next elapse: never") == std::string::npos;
        co_return answers_.emplace(std::move(expression), std::move(answer)).first->second;
    }

  private:
    std::map<std::string, Answer> answers_;
};

awaitable<void> checkSchedule(Calendar& calendar, std::string schedule, std::string pointer, Problems& problems) {
    if (schedule.empty()) co_return;
    bool comes = false;
    std::vector<std::string> expressions;
    std::string why;
    try {
        expressions = toOnCalendar(schedule);
    } catch (const Error& e) {
        why = e.what();
    }
    if (!why.empty()) problems.push_back({pointer, "schedule", why + "."});
    for (const auto& expression : expressions) {
        const auto answer = co_await calendar.ask(expression);
        comes = comes || answer.comes;
        if (answer.understood) continue;
        problems.push_back(
            {pointer, "schedule",
             fmt::format("systemd does not understand the schedule \"{}\" ({}); see systemd.time(7), for "
                         "example \"*-*-* 03:00:00\" or \"Mon..Fri 22:30\".",
                         expression, answer.refusal)});
    }
    if (comes || expressions.empty()) co_return;
    problems.push_back(
        {pointer, "schedule",
         fmt::format("The schedule \"{}\" never comes: there is no such day, or it is in the past.", schedule)});
}

/// A probe's sandbox may hide people's folders, and what is not seen need not be missing.
bool isHidden(const std::filesystem::path& path) {
    for (const char* home : {"/home", "/root", "/run/user"}) {
        std::error_code none;
        if (path.string().starts_with(home) && (std::filesystem::is_empty(home, none) || none)) return true;
    }
    return false;
}

/// A run opens it in the same way, and would fail.
template<typename Open>
void checkOpens(const std::filesystem::path& path, const char* pointer, Open open, Problems& problems) {
    if (isHidden(path)) return;
    try {
        open(path);
    } catch (const std::exception&) {
        problems.push_back({pointer, "no-such-source", sentenceOf(std::current_exception())});
    }
}

void checkFiles(const Job& job, Problems& problems) {
    const auto plain = [](const auto& path) { static_cast<void>(holdPlain(path)); };
    const auto repository = [](const auto& path) { static_cast<void>(findFlash(path)); };
    if (job.sourceType() == SourceType::None) checkOpens(job.sourcePath, "/sourcePath", plain, problems);
    if (const auto* flash = std::get_if<FlashConfig>(&job.source)) {
        checkOpens(flash->gitPath, "/preprocessConfig/flash/gitPath", repository, problems);
    }
}

awaitable<Problems> problemsOf(const Job& job, const Remotes& remotes, Calendar& calendar) {
    Problems problems;
    checkRemote(remotes, job, problems);
    co_await checkSchedule(calendar, job.schedule, "/schedule", problems);
    if (job.drill) co_await checkSchedule(calendar, job.drill->schedule, "/drill/schedule", problems);
    if (const auto* zfs = std::get_if<ZfsConfig>(&job.source)) co_await checkDataset(*zfs, problems);
    if (const auto* script = std::get_if<ScriptConfig>(&job.source)) {
        for (auto& problem : scriptProblems(*script)) problems.push_back(std::move(problem));
    }
    checkFiles(job, problems);
    if (job.sourceType() == SourceType::Docker) co_await checkEngine(job, problems);
    co_return problems;
}

} // namespace

awaitable<nlohmann::json> checkLiveRules(const Rclone& rclone, nlohmann::json document) {
    const auto job = parseJob(document);
    const Remotes remotes = co_await rclone.remotes();
    Calendar calendar;
    auto problems = co_await problemsOf(job, remotes, calendar);
    if (mayBeElsewhere(remotes, job)) co_await checkPlace(rclone, job, problems);
    auto list = nlohmann::json::array();
    for (const auto& p : problems) list.push_back({{"pointer", p.pointer}, {"code", p.code}, {"message", p.message}});
    nlohmann::json answer;
    answer["problems"] = std::move(list);
    co_return answer;
}

awaitable<nlohmann::json> checkStoredJobs(const Rclone& rclone, nlohmann::json documents) {
    const Remotes remotes = co_await rclone.remotes();
    Calendar calendar;
    auto faults = nlohmann::json::object();
    for (const auto& document : documents) {
        const auto job = parseJob(document);
        const auto problems = co_await problemsOf(job, remotes, calendar);
        for (const auto& problem : problems) faults[job.name].push_back(problem.message);
    }
    nlohmann::json answer;
    answer["faults"] = std::move(faults);
    co_return answer;
}

} // namespace holdfast
