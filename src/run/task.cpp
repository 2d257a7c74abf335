#include "run/task.hpp"

#include "util/error.hpp"
#include "util/json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

nlohmann::json toJson(const Keep& keep) {
    return {{"last", keep.last},
            {"daily", keep.daily},
            {"weekly", keep.weekly},
            {"monthly", keep.monthly},
            {"yearly", keep.yearly}};
}

Keep keepFromJson(const nlohmann::json& json) {
    return {.last = natural<std::uint32_t>(json, "last"),
            .daily = natural<std::uint32_t>(json, "daily"),
            .weekly = natural<std::uint32_t>(json, "weekly"),
            .monthly = natural<std::uint32_t>(json, "monthly"),
            .yearly = natural<std::uint32_t>(json, "yearly")};
}

nlohmann::json toJson(const Task& task) {
    if (const auto* restore = std::get_if<RestoreTask>(&task)) {
        return {{"kind", "restore"},
                {"backup", restore->backup},
                {"target", restore->target},
                {"force", restore->force},
                {"format", restore->format},
                {"paths", restore->paths},
                {"intoVolumes", restore->intoVolumes},
                {"volumes", restore->volumes},
                {"engineSocket", restore->engineSocket}};
    }
    if (const auto* verify = std::get_if<VerifyTask>(&task)) {
        return {{"kind", "verify"}, {"backup", verify->backup}, {"deep", verify->deep}};
    }
    if (const auto* drill = std::get_if<DrillTask>(&task)) {
        return {{"kind", "drill"}, {"deep", drill->deep}, {"maxSize", drill->maxSize}};
    }
    if (const auto* prune = std::get_if<PruneTask>(&task)) return {{"kind", "prune"}, {"keep", toJson(prune->keep)}};
    if (const auto* janitor = std::get_if<JanitorTask>(&task)) {
        return {{"kind", "janitor"}, {"names", janitor->names}, {"olderThan", janitor->olderThan}};
    }
    return {{"kind", "backup"}};
}

Task taskFromJson(const nlohmann::json& json) {
    const auto kind = json.at("kind").get<std::string>();
    if (kind == "backup") return BackupTask{};
    if (kind == "restore") {
        return RestoreTask{.backup = json.at("backup"),
                           .target = json.at("target"),
                           .format = json.value("format", ""),
                           .force = json.at("force"),
                           .paths = json.at("paths"),
                           .intoVolumes = json.value("intoVolumes", false),
                           .volumes = json.value("volumes", std::vector<std::string>{}),
                           .engineSocket = json.value("engineSocket", "")};
    }
    if (kind == "verify") return VerifyTask{.backup = json.at("backup"), .deep = json.at("deep")};
    if (kind == "drill") return DrillTask{.deep = json.at("deep"), .maxSize = natural<std::uint64_t>(json, "maxSize")};
    if (kind == "prune") return PruneTask{.keep = keepFromJson(json.at("keep"))};
    if (kind == "janitor") return JanitorTask{.names = json.at("names"), .olderThan = natural<USec>(json, "olderThan")};
    throw Error(fmt::format("There is no task \"{}\".", kind));
}

} // namespace holdfast
