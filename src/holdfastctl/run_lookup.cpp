#include "holdfastctl/run_lookup.hpp"

#include "util/error.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

/// As many as one call gives.
constexpr std::uint32_t mostRuns = 1000;

bool mayBeginAnId(const std::string& text) {
    return !text.empty() && text.size() < 32 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool isOver(const json& run) { return !run.value("result", "").empty(); }

std::optional<std::string> runOfJob(Client& client, const std::string& job, OfJob meant) {
    const auto runs = client.runs(mostRuns, {job, {}});
    const auto live = std::find_if_not(runs.begin(), runs.end(), isOver);
    const auto backup = std::find_if(runs.begin(), runs.end(), backsUp);
    if (meant == OfJob::LiveRun && live != runs.end()) return live->value("id", "");
    if (backup != runs.end()) return backup->value("id", "");
    return std::nullopt;
}

} // namespace

bool backsUp(const json& run) {
    const auto kind = run.value("kind", "");
    return kind == "streaming" || kind == "copy";
}

std::optional<std::string> runWithId(Client& client, const std::string& which) {
    if (isId(which)) return which;
    if (!mayBeginAnId(which)) return std::nullopt;
    auto prefix = which;
    std::transform(prefix.begin(), prefix.end(), prefix.begin(), [](unsigned char c) { return std::tolower(c); });
    std::optional<std::string> found;
    for (const auto& run : client.runs(mostRuns, {})) {
        const auto id = run.value("id", "");
        if (!id.starts_with(prefix)) continue;
        if (found) throw Error(fmt::format("{} is the beginning of more than one run's id; give more of it.", prefix));
        found = id;
    }
    return found;
}

std::string resolveRun(Client& client, const std::string& which, OfJob meant) {
    if (isId(which)) return which;
    if (const auto ofJob = runOfJob(client, which, meant)) return *ofJob;
    if (const auto id = runWithId(client, which)) return *id;
    throw Error(fmt::format(
        "There is no run {}, and no job of that name that has run. 'holdfastctl runs' shows the runs.", which));
}

std::optional<json> lastDoneBackup(Client& client, const std::string& job) {
    const auto runs = client.runs(mostRuns, {job, "done"});
    const auto backup = std::find_if(runs.begin(), runs.end(), backsUp);
    return backup == runs.end() ? std::nullopt : std::optional(*backup);
}

std::optional<json> runThatLeftMirrorOpen(Client& client, const std::string& job) {
    for (const auto& run : client.runs(mostRuns, {job, {}})) {
        if (!backsUp(run) || !isOver(run)) continue;
        if (run.value("result", "") == "done") break;
        if (run.value("metadata", json::object()).value("mirrorOpened", false)) return run;
    }
    return std::nullopt;
}

} // namespace holdfast::ctl
