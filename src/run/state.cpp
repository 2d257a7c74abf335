#include "run/state.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/format.hpp"
#include "util/json.hpp"

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr std::size_t maxFile = 1024 * 1024;

} // namespace

nlohmann::json toJson(const RunState& s) {
    return {{"state", s.state},         {"phase", s.phase},           {"attempt", s.attempt},
            {"bytesDone", s.bytesDone}, {"bytesTotal", s.bytesTotal}, {"bytesTotalEstimated", s.bytesTotalEstimated},
            {"rate", s.rate},           {"etaUSec", s.etaUSec},       {"stalled", s.stalled},
            {"error", s.error},         {"reason", s.reason},         {"metadata", s.metadata}};
}

RunState runStateFromJson(const nlohmann::json& json) {
    try {
        RunState s;
        json.at("state").get_to(s.state);
        json.at("phase").get_to(s.phase);
        readNatural(json, "attempt", s.attempt);
        readNatural(json, "bytesDone", s.bytesDone);
        readNatural(json, "bytesTotal", s.bytesTotal);
        json.at("bytesTotalEstimated").get_to(s.bytesTotalEstimated);
        readNatural(json, "rate", s.rate);
        readNatural(json, "etaUSec", s.etaUSec);
        json.at("stalled").get_to(s.stalled);
        json.at("error").get_to(s.error);
        s.reason = json.value("reason", "");
        s.metadata = json.at("metadata");
        if (!s.metadata.is_object()) throw Error("The metadata of a run's state is not an object.");
        return s;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not the state of a run: {}", e.what()));
    }
}

std::string statusLine(const RunState& s, std::uint32_t maxAttempts) {
    std::string line = s.phase;
    if (s.phase == "uploading" || s.phase == "restoring" || s.phase == "reading") {
        line += " " + formatBytes(s.bytesDone);
        if (s.bytesTotal > 0) {
            line += fmt::format(" of {}{}", s.bytesTotalEstimated ? "~" : "", formatBytes(s.bytesTotal));
        }
        line += s.stalled ? ", stalled" : " at " + formatRate(s.rate);
    }
    if (s.attempt > 0 && s.phase != "done") line += fmt::format(", attempt {}/{}", s.attempt, maxAttempts);
    return line;
}

nlohmann::json toJson(const RunResult& r) {
    return {{"version", 1},
            {"id", r.id},
            {"result", r.result},
            {"last", toJson(r.last)},
            {"startedAt", r.startedAt},
            {"finishedAt", r.finishedAt},
            {"kept", r.kept}};
}

RunResult runResultFromJson(const nlohmann::json& json) {
    try {
        RunResult r;
        json.at("id").get_to(r.id);
        json.at("result").get_to(r.result);
        r.last = runStateFromJson(json.at("last"));
        readNatural(json, "startedAt", r.startedAt);
        readNatural(json, "finishedAt", r.finishedAt);
        json.at("kept").get_to(r.kept);
        return r;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not the result of a run: {}", e.what()));
    }
}

std::optional<RunState> readRunState(const std::filesystem::path& file) {
    const auto text = readFileIfThere(file, maxFile);
    if (!text) return std::nullopt;
    return runStateFromJson(nlohmann::json::parse(*text, nullptr, false));
}

std::optional<RunResult> readRunResult(const std::filesystem::path& file) {
    const auto text = readFileIfThere(file, maxFile);
    if (!text) return std::nullopt;
    return runResultFromJson(nlohmann::json::parse(*text, nullptr, false));
}

std::string stateOfResult(const std::string& result) {
    if (result == "done") return "completed";
    if (result == "cancelled") return "cancelled";
    return "failed";
}

} // namespace holdfast
