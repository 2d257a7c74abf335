#include "probe.hpp"

#include "backups_probe.hpp"
#include "destination.hpp"
#include "janitor.hpp"
#include "live_rules.hpp"
#include "pruning.hpp"

#include "transfer/rclone.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/id.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t maxRequest = 64 * 1024 * 1024; // some hundred jobs, each of 64 KiB at most
constexpr auto longestAsk = 50s;                     // the unit has a minute
constexpr auto longestOfCheck = 15s;                 // somebody sits and waits

awaitable<nlohmann::json> remotes(Rclone rclone) {
    const auto known = co_await rclone.remotes();
    auto list = nlohmann::json::array();
    for (const auto& [name, type] : known) list.push_back(nlohmann::json::array({name, type}));
    nlohmann::json answer;
    answer["remotes"] = std::move(list);
    co_return answer;
}

/// The sentence of what `step` failed with; empty if it worked.
awaitable<std::string> failureOf(awaitable<void> step) {
    try {
        co_await std::move(step);
        co_return "";
    } catch (const Error&) {
        co_return sentenceOf(std::current_exception());
    }
}

std::string testObjectIn(const std::string& folder) {
    const auto name = fmt::format(".holdfast-check-{}", newId().substr(0, 8));
    return folder.ends_with(':') ? folder + name : folder + "/" + name;
}

/// Writes a test object and removes it again.
awaitable<void> tryWriting(Rclone rclone, std::string folder, nlohmann::json& answer) {
    const auto object = testObjectIn(folder);
    auto writing = rclone.write(object, "Written by Holdfast to see whether it can; safe to delete.\n");
    const auto failure = co_await failureOf(std::move(writing));
    answer["writable"] = failure.empty();
    answer["problem"] = failure;
    if (!failure.empty()) co_return;
    auto removing = rclone.remove(object);
    const auto kept = co_await failureOf(std::move(removing));
    answer["deletable"] = kept.empty();
    if (kept.empty()) co_return;
    answer["notice"] =
        fmt::format("What is written cannot be removed: backups can be made, but not old ones pruned, and "
                    "no mirrors kept; {} stays. {}",
                    object, kept);
}

/// Of a remote that has buckets: nothing is tried where there is none.
awaitable<void> demandBucket(Rclone rclone, std::string name, std::string path, RemoteFeatures features) {
    if (!features.buckets || !features.root.empty()) co_return;
    if (path.empty()) throw Error(noBucketIn(name) + " So does --path here.");
    const auto folder = name + ":" + path;
    try {
        const auto found = co_await rclone.listIfThere(folder, ".holdfast-check-*");
        if (!found) throw Error(noSuchBucket(folder));
    } catch (const TransferError& e) {
        if (e.retry()) throw; // else it may be that nobody may look, but write
    }
}

awaitable<void> askSpace(Rclone rclone, std::string name, nlohmann::json& answer) {
    const auto about = co_await rclone.about(name);
    for (const char* key : {"total", "used", "free"}) answer[key] = about.value(key, std::uint64_t{0});
}

nlohmann::json noSuchRemote(const std::string& name) {
    return {{"noSuchRemote", true},
            {"error", fmt::format("There is no remote \"{}\" in rclone's configuration.", name)}};
}

awaitable<nlohmann::json> remote(Rclone rclone, nlohmann::json request) {
    const auto name = request.at("remote").get<std::string>();
    const auto known = co_await rclone.remotes();
    nlohmann::json answer;
    if (!known.contains(name)) co_return noSuchRemote(name);
    const auto features = co_await rclone.features(name);
    answer["type"] = known.at(name);
    answer["streams"] = features.streams;
    answer["hashes"] = features.hashes;
    // Many a remote cannot tell its space; that is no fault.
    if (features.about) co_await failureOf(askSpace(rclone, name, answer));
    if (request.value("write", false)) {
        const auto path = request.value("path", "");
        auto looking = demandBucket(rclone, name, path, features);
        const auto problem = co_await failureOf(std::move(looking));
        answer["writable"] = false;
        answer["problem"] = problem;
        if (problem.empty()) co_await tryWriting(rclone, name + ":" + path, answer);
    }
    co_return answer;
}

/// rclone itself would take ":local:/etc" or a path for a remote; only configured ones are.
awaitable<nlohmann::json> backups(Rclone rclone, nlohmann::json request, std::filesystem::path scratch) {
    const auto name = request.at("remote").get<std::string>();
    const auto known = co_await rclone.remotes();
    if (!known.contains(name)) co_return noSuchRemote(name);
    co_return co_await listBackups(rclone, std::move(request), std::move(scratch));
}

awaitable<nlohmann::json> backupFolders(Rclone rclone, nlohmann::json request) {
    const auto name = request.at("remote").get<std::string>();
    const auto known = co_await rclone.remotes();
    if (!known.contains(name)) co_return noSuchRemote(name);
    co_return co_await listBackupFolders(rclone, std::move(request));
}

awaitable<nlohmann::json> prunable(Rclone rclone, nlohmann::json request, std::filesystem::path scratch) {
    const auto name = request.at("remote").get<std::string>();
    const auto known = co_await rclone.remotes();
    if (!known.contains(name)) co_return noSuchRemote(name);
    co_return co_await previewPrune(rclone, std::move(request), std::move(scratch));
}

awaitable<nlohmann::json> orphans(Rclone rclone, nlohmann::json request) {
    const auto name = request.at("remote").get<std::string>();
    const auto known = co_await rclone.remotes();
    if (!known.contains(name)) co_return noSuchRemote(name);
    co_return co_await findOrphans(rclone, std::move(request));
}

awaitable<nlohmann::json> answerTo(nlohmann::json request, std::filesystem::path folder) {
    const auto rclone = Rclone(request.at("rcloneConfig").get<std::string>()).hurried(longestAsk);
    const auto ask = request.at("ask").get<std::string>();
    if (ask == "job") co_return co_await checkLiveRules(rclone, request.at("job"));
    if (ask == "jobs") co_return co_await checkStoredJobs(rclone, request.at("jobs"));
    if (ask == "remotes") co_return co_await remotes(rclone);
    if (ask == "remote") co_return co_await remote(rclone.hurried(longestOfCheck), request);
    if (ask == "backups") co_return co_await backups(rclone, request, folder / "manifests");
    if (ask == "backupFolders") co_return co_await backupFolders(rclone, request);
    if (ask == "prune") co_return co_await prunable(rclone, request, folder / "manifests");
    if (ask == "orphans") co_return co_await orphans(rclone, request);
    throw Error(fmt::format("Unknown question \"{}\".", ask));
}

} // namespace

awaitable<int> probe(const Paths& paths, std::string id) {
    const auto folder = paths.probe(id);
    const auto request = nlohmann::json::parse(readFile(folder / "request.json", maxRequest));
    nlohmann::json answer;
    auto ask = [&]() -> awaitable<void> { answer = co_await answerTo(request, folder); };
    auto asking = ask();
    const auto failure = co_await caught(std::move(asking));
    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (failure) answer = {{"error", toldToStop ? "The remote has not answered in time." : sentenceOf(failure)}};
    replaceFile(folder / "answer.json", compact(answer), Durability::Volatile);
    co_return EXIT_SUCCESS;
}

} // namespace holdfast
