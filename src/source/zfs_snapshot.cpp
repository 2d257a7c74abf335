#include "source/zfs_snapshot.hpp"

#include "source/zfs_command.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/id.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

constexpr auto property = "org.holdfast:run";

using Words = std::vector<std::string>;

Words withRecursion(const char* command, bool recursive) {
    Words words{command};
    if (recursive) words.emplace_back("-r");
    return words;
}

ZfsSnapshot snapshotOf(const nlohmann::json& entry, const std::string& runId) {
    const std::string full = entry.at("snapshot");
    const auto at = full.find('@');
    if (!isId(runId) || at == 0 || at == full.npos || full.starts_with('-')) {
        throw Error(fmt::format("The ledger names \"{}\", which is not a snapshot.", full));
    }
    return {full.substr(0, at), full.substr(at + 1), entry.at("recursive")};
}

/// A dataset that is gone took its snapshots along. But if its whole pool is away, they may come back with it.
awaitable<void> demandPool(std::string dataset, std::string said) {
    auto pool = dataset.substr(0, dataset.find('/'));
    Words words{"list", "-H", "-o", "name", pool};
    const auto answer = co_await tryZfs(std::move(words));
    if (answer.ok) co_return;
    throw Error(explainZfs(fmt::format("look for the run's snapshots of {}", dataset), said));
}

awaitable<void> release(std::string snapshot, std::string tag) {
    Words words{"release", tag, snapshot};
    const auto answer = co_await tryZfs(std::move(words));
    if (answer.ok || saysAbsent(answer.error) || answer.error.find("no such tag") != std::string::npos) co_return;
    throw Error(explainZfs(fmt::format("release the hold {} of {}", tag, snapshot), answer.error));
}

} // namespace

/// A sender that was just killed may keep its snapshot busy for a moment longer.
awaitable<void> destroySnapshot(std::string snapshot) {
    constexpr int tries = 10;
    for (int left = tries; left > 0; --left) {
        // -d: if somebody else holds or has cloned it, it goes when they are done.
        Words words{"destroy", "-d", snapshot};
        const auto answer = co_await tryZfs(std::move(words));
        if (answer.ok || saysAbsent(answer.error)) co_return;
        if (left == 1) throw Error(explainZfs("destroy the snapshot " + snapshot, answer.error));
        co_await sleepFor(300ms);
    }
}

std::string holdTag(const std::string& runId) { return "holdfast-" + runId.substr(0, 8); }

nlohmann::json snapshotEntry(const ZfsSnapshot& snapshot) {
    return {{"snapshot", snapshot.full()}, {"recursive", snapshot.recursive}};
}

awaitable<void> makeSnapshot(ZfsSnapshot snapshot, std::string runId) {
    auto words = withRecursion("snapshot", snapshot.recursive);
    words.emplace_back("-o");
    words.push_back(fmt::format("{}={}", property, runId));
    words.push_back(snapshot.full());
    auto doing = "make the snapshot " + snapshot.full();
    co_await runZfs(std::move(words), std::move(doing));
}

awaitable<void> holdSnapshot(ZfsSnapshot snapshot, std::string runId) {
    auto words = withRecursion("hold", snapshot.recursive);
    words.push_back(holdTag(runId));
    words.push_back(snapshot.full());
    auto doing = "hold the snapshot " + snapshot.full();
    co_await runZfs(std::move(words), std::move(doing));
}

awaitable<void> makeBookmark(ZfsSnapshot snapshot) {
    Words words{"bookmark", snapshot.full(), snapshot.bookmark()};
    auto doing = "make the bookmark " + snapshot.bookmark();
    co_await runZfs(std::move(words), std::move(doing));
}

nlohmann::json bookmarkEntry(const ZfsSnapshot& snapshot, const std::string& guid) {
    return {{"dataset", snapshot.dataset}, {"bookmark", snapshot.bookmark()}, {"guid", guid}};
}

awaitable<std::vector<std::string>> snapshotsOfRun(ZfsSnapshot snapshot, std::string runId) {
    auto words = withRecursion("get", snapshot.recursive);
    const Words columns{"-H", "-p", "-s", "local", "-o", "name,value,source", property};
    words.insert(words.end(), columns.begin(), columns.end());
    words.push_back(snapshot.recursive ? snapshot.dataset : snapshot.full());
    const auto answer = co_await tryZfs(std::move(words));

    std::vector<std::string> found;
    if (!answer.ok) {
        if (!saysAbsent(answer.error)) throw Error(explainZfs("look at the snapshot " + snapshot.full(), answer.error));
        co_await demandPool(snapshot.dataset, answer.error);
        co_return found;
    }
    const auto ending = "@" + snapshot.name;
    for (const auto& line : parseProperties(answer.out)) {
        if (line.value == runId && line.source == "local" && line.name.ends_with(ending)) found.push_back(line.name);
    }
    co_return found;
}

awaitable<void> undoSnapshot(nlohmann::json entry, std::string runId) {
    const auto snapshot = snapshotOf(entry, runId);
    const auto found = co_await snapshotsOfRun(snapshot, runId);
    for (const auto& name : found) co_await destroySnapshot(name);
}

awaitable<void> undoHold(nlohmann::json entry, std::string runId) {
    const auto snapshot = snapshotOf(entry, runId);
    const auto found = co_await snapshotsOfRun(snapshot, runId);
    for (const auto& name : found) co_await release(name, holdTag(runId));
}

awaitable<void> undoBookmark(nlohmann::json entry) {
    const std::string dataset = entry.at("dataset");
    const std::string bookmark = entry.at("bookmark");
    if (!bookmark.starts_with(dataset + "#")) {
        throw Error(fmt::format("The ledger names \"{}\", which is not a bookmark of {}.", bookmark, dataset));
    }
    Words ask{"get", "-H", "-p", "-o", "value", "guid", bookmark};
    const auto guid = co_await tryZfs(std::move(ask));
    if (!guid.ok) {
        if (!saysAbsent(guid.error)) throw Error(explainZfs("look at the bookmark " + bookmark, guid.error));
        co_await demandPool(dataset, guid.error);
        co_return;
    }
    if (guid.out != entry.at("guid").get<std::string>() + "\n") co_return; // somebody else's, of the same name
    Words words{"destroy", bookmark};
    auto doing = "destroy the bookmark " + bookmark;
    co_await runZfs(std::move(words), std::move(doing));
}

} // namespace holdfast
