#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast {

/// Where a run stands, as plain data: the worker writes it to state.json, the daemon shows it on the bus.
struct RunState {
    std::string state = "queued"; ///< queued, starting, running, completed, failed, cancelled
    std::string phase = "queued"; ///< queued, preprocessing, uploading, restoring, reading, verifying, cleaning, done
    std::uint32_t attempt = 0;    ///< from 1; 0 before the first
    std::uint64_t bytesDone = 0;  ///< never runs backwards within an attempt
    std::uint64_t bytesTotal = 0; ///< 0 = unknown
    bool bytesTotalEstimated = false;
    std::uint64_t rate = 0; ///< bytes a second, of late
    USec etaUSec = 0;       ///< 0 = unknown
    bool stalled = false;
    std::string error{}; ///< a sentence; empty while all is well
    std::string
        reason{}; ///< what everybody may read of the error: no names of files, no words of programs; empty: none
    nlohmann::json metadata = nlohmann::json::object(); ///< the seed's PreprocessResult
};

nlohmann::json toJson(const RunState& state);
/// Throws `Error` for what is not a state.
RunState runStateFromJson(const nlohmann::json& json);

/// One line for `systemctl status`, which everybody may read: "uploading 1.2 GiB of ~3.1 GiB at 110 MiB/s, attempt
/// 1/3". So nothing of the error is in it.
std::string statusLine(const RunState& state, std::uint32_t maxAttempts);

/// How a run ended; written durably by whoever settles it, worker or cleanup.
struct RunResult {
    std::string id;
    std::string result; ///< done, failed, cancelled, timeout, interrupted
    RunState last;      ///< state completed, failed or cancelled; phase done
    USec startedAt = 0;
    USec finishedAt = 0;
    std::vector<std::string> kept; ///< what was left on purpose (`cleanupOnFailure` false), as sentences
};

nlohmann::json toJson(const RunResult& result);
RunResult runResultFromJson(const nlohmann::json& json);

/// What the file says; nothing while there is none. Throw `Error` for one that is broken.
std::optional<RunState> readRunState(const std::filesystem::path& file);
std::optional<RunResult> readRunResult(const std::filesystem::path& file);

/// The `State` that goes with a result: done → completed, cancelled → cancelled, all else → failed.
std::string stateOfResult(const std::string& result);

} // namespace holdfast
