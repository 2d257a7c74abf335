#include "run/plan.hpp"

#include "util/error.hpp"
#include "util/id.hpp"
#include "util/json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

std::string objectNameFor(const Job& job, const std::string& id, USec queuedAt) {
    if (job.mirrors()) return {};
    const std::string base = fmt::format("{}-{}-{}", job.name, utcStamp(queuedAt), id.substr(0, 8));
    if (!job.streams()) return base;
    const char* format = job.sourceType() == SourceType::Zfs ? "zfs" : "tar";
    return fmt::format("{}.{}{}", base, format, job.compressionLevel() ? ".zst" : "");
}

/// What the names of manifest and list begin with.
std::string baseName(const Plan& plan) { return plan.objectName.empty() ? plan.job.name + ".mirror" : plan.objectName; }

/// A job that is not stored here has no document.
nlohmann::json jobToJson(const Plan& plan) {
    if (plan.backsUp() || plan.drills()) return plan.job.document();
    return {{"name", plan.job.name},
            {"remoteName", plan.job.remoteName},
            {"destinationPath", plan.job.destinationPath},
            {"source", toString(plan.job.sourceType())}};
}

Job jobFromJson(const nlohmann::json& json, const Task& task) {
    if (std::holds_alternative<BackupTask>(task) || std::holds_alternative<DrillTask>(task)) return parseJob(json);
    Job job;
    json.at("name").get_to(job.name);
    json.at("remoteName").get_to(job.remoteName);
    json.at("destinationPath").get_to(job.destinationPath);
    job.source = emptySourceConfig(json.at("source").get<std::string>());
    return job;
}

nlohmann::json settingsToJson(const Settings& s) {
    return {{"rcloneConfig", s.rcloneConfig.string()},
            {"maxAttempts", s.maxAttempts},
            {"retryDelay", s.retryDelay},
            {"retryDelayMax", s.retryDelayMax},
            {"stallWarning", s.stallWarning},
            {"stallTimeout", s.stallTimeout},
            {"killDelay", s.killDelay}};
}

nlohmann::json toJson(const EarlierBackup& earlier) {
    return {{"manifestName", earlier.manifestName},
            {"ground", earlier.ground},
            {"failedSince", earlier.failedSince},
            {"agreedSince", earlier.agreedSince}};
}

std::optional<EarlierBackup> earlierFromJson(const nlohmann::json& plan) {
    const auto json = plan.find("earlier");
    if (json == plan.end()) return std::nullopt;
    return EarlierBackup{json->at("manifestName"), json->at("ground"), json->at("failedSince"),
                         json->at("agreedSince")};
}

Settings settingsFromJson(const nlohmann::json& json) {
    Settings s;
    s.rcloneConfig = json.at("rcloneConfig").get<std::string>();
    readNatural(json, "maxAttempts", s.maxAttempts);
    readNatural(json, "retryDelay", s.retryDelay);
    readNatural(json, "retryDelayMax", s.retryDelayMax);
    readNatural(json, "stallWarning", s.stallWarning);
    readNatural(json, "stallTimeout", s.stallTimeout);
    readNatural(json, "killDelay", s.killDelay);
    return s;
}

} // namespace

std::string Plan::atDestination(const std::string& name) const {
    const auto folder = job.remoteName + ":" + job.destinationPath;
    return name.empty() || job.destinationPath.empty() ? folder + name : folder + "/" + name;
}

std::string Plan::kind() const {
    if (std::holds_alternative<RestoreTask>(task)) return "restore";
    if (std::holds_alternative<VerifyTask>(task)) return "verify";
    if (drills()) return "drill";
    if (std::holds_alternative<PruneTask>(task)) return "prune";
    if (std::holds_alternative<JanitorTask>(task)) return "janitor";
    return job.streams() ? "streaming" : "copy";
}

std::string Plan::lockName() const {
    // Two could be about the same volume, by whatever name.
    if (const auto* restore = std::get_if<RestoreTask>(&task); restore && restore->intoVolumes)
        return "restore (volumes)";
    const bool ofJob = backsUp() || std::holds_alternative<PruneTask>(task);
    return ofJob ? job.name : fmt::format("{} of {} ({})", kind(), job.name, outputPath());
}

std::string Plan::outputPath() const {
    if (const auto* restore = std::get_if<RestoreTask>(&task)) return restore->target;
    return atDestination(objectName);
}

std::string Plan::manifestPath() const { return atDestination(baseName(*this) + ".manifest.json"); }

std::string Plan::fileListName() const { return baseName(*this) + ".files.jsonl"; }

Plan planTask(Task task, Job job, const Settings& settings, std::uint32_t startedByUid) {
    Plan plan{.id = newId(),
              .job = std::move(job),
              .task = std::move(task),
              .settings = settings,
              .startedByUid = startedByUid,
              .scheduled = false,
              .queuedAt = nowUSec(),
              .startedAt = 0,
              .machine = thisMachine(),
              .objectName = {},
              .provenRuns = {},
              .earlier = {}};
    if (plan.backsUp()) plan.objectName = objectNameFor(plan.job, plan.id, plan.queuedAt);
    return plan;
}

Plan planRun(Job job, const Settings& settings, std::uint32_t startedByUid) {
    return planTask(BackupTask{}, std::move(job), settings, startedByUid);
}

nlohmann::json toJson(const Plan& plan) {
    nlohmann::json json{{"version", 1},
                        {"id", plan.id},
                        {"task", toJson(plan.task)},
                        {"job", jobToJson(plan)},
                        {"settings", settingsToJson(plan.settings)},
                        {"startedByUid", plan.startedByUid},
                        {"scheduled", plan.scheduled},
                        {"queuedAt", plan.queuedAt},
                        {"startedAt", plan.startedAt},
                        {"host", plan.machine.host},
                        {"machine", plan.machine.id},
                        {"objectName", plan.objectName},
                        {"provenRuns", plan.provenRuns}};
    if (plan.earlier) json["earlier"] = toJson(*plan.earlier);
    return json;
}

Plan planFromJson(const nlohmann::json& json) {
    try {
        if (json.at("version") != 1) throw Error("The plan was written by another version of Holdfast.");
        auto task = taskFromJson(json.at("task"));
        auto job = jobFromJson(json.at("job"), task);
        Plan plan{.id = json.at("id"),
                  .job = std::move(job),
                  .task = std::move(task),
                  .settings = settingsFromJson(json.at("settings")),
                  .startedByUid = natural<std::uint32_t>(json, "startedByUid"),
                  .scheduled = json.value("scheduled", false),
                  .queuedAt = natural<USec>(json, "queuedAt"),
                  .startedAt = natural<USec>(json, "startedAt"),
                  .machine = {json.value("machine", ""), json.at("host")},
                  .objectName = json.at("objectName"),
                  .provenRuns = json.value("provenRuns", std::vector<std::string>{}),
                  .earlier = earlierFromJson(json)};
        if (!isId(plan.id)) throw Error("The plan has no valid id.");
        return plan;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not the plan of a run: {}", e.what()));
    }
}

} // namespace holdfast
