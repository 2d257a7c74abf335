#include "source/zfs_base.hpp"

#include "source/zfs_command.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/id.hpp"
#include "util/json.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

constexpr auto property = "org.holdfast:base";
constexpr std::size_t maxRecord = 64 * 1024;

ZfsBase baseFromJson(const nlohmann::json& json) {
    ZfsBase base;
    json.at("run").get_to(base.run);
    json.at("dataset").get_to(base.snapshot.dataset);
    json.at("snapshot").get_to(base.snapshot.name);
    json.at("recursive").get_to(base.snapshot.recursive);
    json.at("bookmarked").get_to(base.bookmarked);
    json.at("guid").get_to(base.guid);
    json.at("raw").get_to(base.raw);
    readNatural(json, "depth", base.depth);
    json.at("manifest").get_to(base.manifest);
    readNatural(json, "startedAt", base.startedAt);
    if (!isId(base.run)) throw Error(fmt::format("\"{}\" is not the id of a run.", base.run));
    return base;
}

nlohmann::json toJson(const std::optional<ZfsBase>& base) {
    if (!base) return nullptr;
    return toJson(*base);
}

std::optional<ZfsBase> optionalBase(const nlohmann::json& json) {
    if (json.is_null()) return std::nullopt;
    return baseFromJson(json);
}

void writeBase(const fs::path& record, const ZfsBase& base) {
    fs::create_directories(record.parent_path());
    replaceFile(record, toJson(base).dump(2) + "\n", Durability::Durable);
}

/// A record that cannot be read is no base, and is replaced.
std::optional<ZfsBase> readableBase(const fs::path& record) {
    try {
        return readBase(record);
    } catch (const Error&) {
        return std::nullopt;
    }
}

/// So that people find it, and the next hand-over, should the record be lost.
awaitable<void> mark(ZfsBase base, std::string job) {
    if (base.bookmarked) co_return;
    const auto snapshots = co_await snapshotsOfRun(base.snapshot, base.run);
    for (const auto& snapshot : snapshots) {
        Words words{"set", fmt::format("{}={}", property, job), snapshot};
        auto doing = fmt::format("mark the snapshot {} as the base of the next run", snapshot);
        co_await runZfs(std::move(words), std::move(doing));
    }
}

awaitable<void> giveBack(ZfsBase base) {
    auto entry = base.bookmarked ? bookmarkEntry(base.snapshot, base.guid) : snapshotEntry(base.snapshot);
    if (base.bookmarked) {
        co_await undoBookmark(std::move(entry));
    } else {
        co_await undoSnapshot(std::move(entry), base.run);
    }
}

/// Destroys the snapshots below `dataset` that are marked as the job's base, but for `next`.
awaitable<void> giveBackStrays(std::string dataset, std::string job, std::optional<ZfsBase> next) {
    Words words{"get", "-r", "-H", "-p", "-s", "local", "-o", "name,value,source", property, dataset};
    const auto answer = co_await tryZfs(std::move(words));
    if (!answer.ok) {
        if (saysAbsent(answer.error)) co_return;
        throw Error(explainZfs("look for earlier bases on " + dataset, answer.error));
    }
    const auto keep = next ? "@" + next->snapshot.name : std::string();
    for (const auto& line : parseProperties(answer.out)) {
        const bool stray = line.value == job && line.name.find('@') != line.name.npos;
        const bool kept = !keep.empty() && line.name.ends_with(keep);
        if (stray && !kept) co_await destroySnapshot(line.name);
    }
}

/// A run of the future is one under a clock that was wrong: it came before this one.
bool isOfLaterRun(const ZfsBase& recorded, USec startedAt) {
    return recorded.startedAt > startedAt && recorded.startedAt <= nowUSec();
}

} // namespace

nlohmann::json toJson(const ZfsBase& base) {
    return {{"run", base.run},
            {"dataset", base.snapshot.dataset},
            {"snapshot", base.snapshot.name},
            {"recursive", base.snapshot.recursive},
            {"bookmarked", base.bookmarked},
            {"guid", base.guid},
            {"raw", base.raw},
            {"depth", base.depth},
            {"manifest", base.manifest},
            {"startedAt", base.startedAt}};
}

std::optional<ZfsBase> readBase(const fs::path& record) {
    const auto text = readFileIfThere(record, maxRecord);
    if (!text) return std::nullopt;
    try {
        return baseFromJson(nlohmann::json::parse(*text));
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("{} cannot be understood: {}", record.string(), e.what()));
    } catch (const Error& e) {
        throw Error(fmt::format("{} cannot be understood: {}", record.string(), e.what()));
    }
}

nlohmann::json baseEntry(const fs::path& record, const std::string& dataset, USec startedAt,
                         const std::optional<ZfsBase>& next, const std::optional<ZfsBase>& previous) {
    return {{"record", record.string()},
            {"dataset", dataset},
            {"startedAt", startedAt},
            {"next", toJson(next)},
            {"previous", toJson(previous)}};
}

awaitable<void> handOver(nlohmann::json entry, std::string job) {
    const fs::path record = entry.at("record").get<std::string>();
    const std::string dataset = entry.at("dataset");
    const auto next = optionalBase(entry.at("next"));
    const auto previous = optionalBase(entry.at("previous"));
    const auto recorded = readableBase(record);

    if (recorded && isOfLaterRun(*recorded, entry.at("startedAt").get<USec>())) {
        if (previous) co_await giveBack(*previous);
        if (next) co_await giveBack(*next);
        co_return;
    }
    // The new base is safe before the old one goes.
    if (next) {
        co_await mark(*next, job);
        writeBase(record, *next);
    } else {
        removeFile(record);
    }
    if (previous) co_await giveBack(*previous);
    // A run that handed over late may have recorded another one meanwhile.
    if (recorded && (!next || recorded->run != next->run)) co_await giveBack(*recorded);
    co_await giveBackStrays(dataset, job, next);
}

} // namespace holdfast
