#include "run/plan.hpp"

#include "util/error.hpp"
#include "util/id.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace holdfast {

namespace {

std::string hostName() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) < 0) throwErrno("ask for the host's name");
    return name;
}

std::string objectNameFor(const Job& job, const std::string& id, USec queuedAt) {
    if (job.mirrors()) return {};
    const std::string base = fmt::format("{}-{}-{}", job.name, utcStamp(queuedAt), id.substr(0, 8));
    if (!job.streams()) return base;
    const char* format = job.sourceType() == SourceType::Zfs ? "zfs" : "tar";
    return fmt::format("{}.{}{}", base, format, job.compressionLevel() ? ".zst" : "");
}

/// What the names of manifest and list begin with.
std::string baseName(const Plan& plan) { return plan.objectName.empty() ? plan.job.name + ".mirror" : plan.objectName; }

nlohmann::json settingsToJson(const Settings& s) {
    return {{"rcloneConfig", s.rcloneConfig.string()},
            {"maxAttempts", s.maxAttempts},
            {"retryDelay", s.retryDelay},
            {"retryDelayMax", s.retryDelayMax},
            {"stallWarning", s.stallWarning},
            {"stallTimeout", s.stallTimeout},
            {"killDelay", s.killDelay}};
}

Settings settingsFromJson(const nlohmann::json& json) {
    Settings s;
    s.rcloneConfig = json.at("rcloneConfig").get<std::string>();
    json.at("maxAttempts").get_to(s.maxAttempts);
    json.at("retryDelay").get_to(s.retryDelay);
    json.at("retryDelayMax").get_to(s.retryDelayMax);
    json.at("stallWarning").get_to(s.stallWarning);
    json.at("stallTimeout").get_to(s.stallTimeout);
    json.at("killDelay").get_to(s.killDelay);
    return s;
}

} // namespace

std::string Plan::atDestination(const std::string& name) const {
    const auto folder = job.remoteName + ":" + job.destinationPath;
    return name.empty() || job.destinationPath.empty() ? folder + name : folder + "/" + name;
}

std::string Plan::outputPath() const { return atDestination(objectName); }

std::string Plan::manifestPath() const { return atDestination(baseName(*this) + ".manifest.json"); }

std::string Plan::fileListName() const { return baseName(*this) + ".files.jsonl"; }

Plan planRun(Job job, const Settings& settings, std::uint32_t startedByUid) {
    Plan plan{.id = newId(),
              .job = std::move(job),
              .settings = settings,
              .startedByUid = startedByUid,
              .queuedAt = nowUSec(),
              .startedAt = 0,
              .host = hostName(),
              .objectName = {}};
    plan.objectName = objectNameFor(plan.job, plan.id, plan.queuedAt);
    return plan;
}

nlohmann::json toJson(const Plan& plan) {
    return {{"version", 1},
            {"id", plan.id},
            {"job", plan.job.document},
            {"settings", settingsToJson(plan.settings)},
            {"startedByUid", plan.startedByUid},
            {"queuedAt", plan.queuedAt},
            {"startedAt", plan.startedAt},
            {"host", plan.host},
            {"objectName", plan.objectName}};
}

Plan planFromJson(const nlohmann::json& json) {
    try {
        if (json.at("version") != 1) throw Error("The plan was written by another version of Holdfast.");
        Plan plan{.id = json.at("id"),
                  .job = parseJob(json.at("job")),
                  .settings = settingsFromJson(json.at("settings")),
                  .startedByUid = json.at("startedByUid"),
                  .queuedAt = json.at("queuedAt"),
                  .startedAt = json.at("startedAt"),
                  .host = json.at("host"),
                  .objectName = json.at("objectName")};
        if (!isId(plan.id)) throw Error("The plan has no valid id.");
        return plan;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not the plan of a run: {}", e.what()));
    }
}

} // namespace holdfast
