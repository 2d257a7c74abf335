#include "job/document.hpp"
#include "job/job.hpp"
#include "job/limits.hpp"
#include "job/schedule.hpp"
#include "job/units.hpp"
#include "job/validation.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace holdfast {

using nlohmann::json;

namespace {

template<typename T>
void take(const json& object, const char* name, T& target) {
    if (const auto value = object.find(name); value != object.end()) target = value->get<T>();
}

template<typename T>
void take(const json& object, const char* name, std::optional<T>& target) {
    if (const auto value = object.find(name); value != object.end()) target = value->get<T>();
}

/// A name, or a list of names.
void takeNames(const json& object, const char* name, std::vector<std::string>& target) {
    const auto value = object.find(name);
    if (value == object.end()) return;
    if (value->is_string()) {
        target = {value->get<std::string>()};
    } else {
        target = value->get<std::vector<std::string>>();
    }
}

ZfsConfig zfsConfig(const json& object) {
    ZfsConfig config;
    take(object, "poolName", config.poolName);
    take(object, "snapshotName", config.snapshotName);
    take(object, "streamDirect", config.streamDirect);
    take(object, "compressionLevel", config.compressionLevel);
    take(object, "recursive", config.recursive);
    take(object, "raw", config.raw);
    if (const auto incremental = object.find("incremental"); incremental != object.end()) {
        take(*incremental, "enabled", config.incremental);
        take(*incremental, "fullEvery", config.fullEvery);
    }
    return config;
}

FlashConfig flashConfig(const json& object) {
    FlashConfig config;
    take(object, "gitPath", config.gitPath);
    take(object, "compressionLevel", config.compressionLevel);
    take(object, "streamDirect", config.streamDirect);
    take(object, "localCachePath", config.localCachePath);
    take(object, "commitMessage", config.commitMessage);
    take(object, "includeGitHistory", config.includeGitHistory);
    take(object, "profile", config.profile);
    return config;
}

ScriptConfig scriptConfig(const json& object) {
    ScriptConfig config;
    take(object, "scriptPath", config.scriptPath);
    take(object, "scriptArgs", config.scriptArgs);
    take(object, "workingDirectory", config.workingDirectory);
    take(object, "timeout", config.timeout);
    take(object, "readPaths", config.readPaths);
    take(object, "readAll", config.readAll);
    take(object, "network", config.network);
    std::vector<Problem> none; // checked already
    config.outputMax = resolveOutputMax(object, none);
    return config;
}

DockerConfig dockerConfig(const json& object) {
    DockerConfig config;
    takeNames(object, "containerName", config.containerName);
    takeNames(object, "volumeName", config.volumeName);
    take(object, "engineSocket", config.engineSocket);
    return config;
}

std::optional<Keep> keepRules(const json& document) {
    const auto rules = document.find("keep");
    if (rules == document.end()) return std::nullopt;
    Keep keep;
    take(*rules, "last", keep.last);
    take(*rules, "daily", keep.daily);
    take(*rules, "weekly", keep.weekly);
    take(*rules, "monthly", keep.monthly);
    take(*rules, "yearly", keep.yearly);
    return keep;
}

SourceConfig sourceConfig(const json& document) {
    const auto type = document.value("preprocessType", "none");
    if (type == "none") return NoneConfig{};
    // The schema lets the configuration be absent only where every member of it has a default.
    const auto config = document.value("preprocessConfig", json::object()).value(type, json::object());
    if (type == "zfs") return zfsConfig(config);
    if (type == "flash") return flashConfig(config);
    if (type == "script") return scriptConfig(config);
    return dockerConfig(config);
}

/// Seconds, at least one microsecond of them: the schema only asks for more than nothing.
USec microseconds(double seconds) {
    return static_cast<USec>(std::max(1LL, std::llround(seconds * static_cast<double>(usecPerSec))));
}

void checkSchedule(const json& document, const std::string& pointer, std::vector<Problem>& problems) {
    const json::json_pointer schedule(pointer);
    if (!document.contains(schedule) || isReported(problems, pointer)) return;
    try {
        toOnCalendar(document[schedule].get<std::string>());
    } catch (const Error& error) {
        problems.push_back({pointer, "schedule", error.what()});
    }
}

void checkOutputMax(const json& document, std::vector<Problem>& problems) {
    const json::json_pointer script("/preprocessConfig/script");
    if (document.contains(script)) resolveOutputMax(document[script], problems);
}

USec randomizedDelay(const json& document, std::vector<Problem>& problems) {
    constexpr USec most = 7 * 86'400 * usecPerSec;
    const auto value = document.find("randomizedDelay");
    if (value == document.end() || isReported(problems, "/randomizedDelay")) return 0;
    try {
        const USec delay = parseTimeSpan(value->is_string() ? value->get<std::string>() : value->dump());
        if (delay <= most) return delay;
        problems.push_back({"/randomizedDelay", "range", "randomizedDelay must not be more than 7 days"});
    } catch (const Error& error) {
        problems.push_back({"/randomizedDelay", "time-span", std::string("randomizedDelay: ") + error.what()});
    }
    return 0;
}

/// What is written in the document in one spelling, and kept in another.
struct Resolved {
    USec randomizedDelay = 0;
    Limits limits;
    std::optional<std::uint64_t> drillMax;
};

DrillConfig drillConfig(const json& object, std::optional<std::uint64_t> maxSize) {
    DrillConfig config;
    take(object, "schedule", config.schedule);
    take(object, "deep", config.deep);
    config.maxSize = maxSize;
    return config;
}

Job makeJob(const json& document, const Resolved& resolved) {
    Job job;
    take(document, "name", job.name);
    take(document, "enabled", job.enabled);
    take(document, "schedule", job.schedule);
    take(document, "remoteName", job.remoteName);
    take(document, "destinationPath", job.destinationPath);
    take(document, "sourcePath", job.sourcePath);
    take(document, "layout", job.layout);
    take(document, "rcloneOptions", job.rcloneOptions);
    take(document, "cleanupOnFailure", job.cleanupOnFailure);
    if (document.contains("preprocessTimeout")) {
        job.preprocessTimeout = microseconds(document["preprocessTimeout"].get<double>());
    }
    job.source = sourceConfig(document);
    job.randomizedDelay = resolved.randomizedDelay;
    job.limits = resolved.limits;
    if (document.contains("drill")) job.drill = drillConfig(document["drill"], resolved.drillMax);
    job.keep = keepRules(document);
    job.text = document.dump();
    return job;
}

} // namespace

Job parseJob(const json& written) {
    try {
        checkBounds(written);
    } catch (const BadDocument& bad) {
        throw InvalidJob({bad.problem()});
    }
    auto document = withoutNulls(written);
    auto problems = checkAgainstSchema(document);
    Resolved resolved;
    if (document.is_object() && problems.size() < maxProblems) {
        checkSchedule(document, "/schedule", problems);
        checkSchedule(document, "/drill/schedule", problems);
        resolved.randomizedDelay = randomizedDelay(document, problems);
        resolved.limits = resolveLimits(document.value("limits", json::object()), problems);
        checkOutputMax(document, problems);
        resolved.drillMax = resolveDrillMax(document.value("drill", json::object()), problems);
    }
    if (!problems.empty()) throw InvalidJob(std::move(problems));
    return makeJob(document, resolved);
}

Job parseJob(const std::string& text) {
    try {
        return parseJob(parseDocument(text));
    } catch (const BadDocument& bad) {
        throw InvalidJob({bad.problem()});
    }
}

} // namespace holdfast
