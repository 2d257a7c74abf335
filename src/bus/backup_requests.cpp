#include "bus/backup_requests.hpp"

#include "bus/object_path.hpp"
#include "bus/options.hpp"
#include "bus/remote_requests.hpp"
#include "job/document.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

namespace {

constexpr std::uint32_t defaultPage = 100;
constexpr std::uint32_t maxPage = 1000;
constexpr std::size_t maxJobName = 256;
constexpr std::size_t maxPath = 4096;
constexpr std::size_t idLength = 32;

/// An id or the beginning of one. Eight digits are what names and lists show.
void requireIdPart(const std::string& text) {
    const bool hex =
        std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (hex && text.size() >= 4 && text.size() <= idLength) return;
    throw InvalidArgs("A backup is named by the id of its run, or by the beginning of it: 4 to 32 hexadecimal digits.");
}

void requireFolder(const std::string& target) {
    const std::filesystem::path path(target);
    const bool plain = path.is_absolute() && path.lexically_normal() == path && path.has_filename() &&
                       target.size() <= maxPath && target.find('\0') == target.npos;
    if (!plain) {
        throw InvalidArgs(
            fmt::format("The target {} is not the absolute path of a folder, such as /srv/restored.", shown(target)));
    }
}

void requireDataset(const std::string& target) {
    constexpr std::size_t longest = 200; // of ZFS's 255: a name beside it must fit, too
    constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/";
    const bool plain = target.find('/') != target.npos && target.front() != '/' && target.front() != '-' &&
                       target.back() != '/' && target.find("//") == target.npos && target.size() <= longest &&
                       target.find_first_not_of(allowed) == target.npos;
    if (!plain) {
        throw InvalidArgs(fmt::format("The target {} is not a dataset below a pool, such as tank/restored, which this "
                                      "backup of a ZFS dataset needs.",
                                      shown(target)));
    }
}

/// Names in an archive or of a copy.
void requireInside(const std::vector<std::string>& paths) {
    for (const auto& name : paths) {
        const std::filesystem::path path(name);
        const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
        if (!name.empty() && name.size() <= maxPath && !path.is_absolute() && !climbs) continue;
        throw InvalidArgs(
            fmt::format("{} is not a path inside a backup: that begins with no slash and has no .. in it, "
                        "such as .git/config.",
                        shown(name)));
    }
}

/// Names as engines allow, two with a colon between them. Whether the backup has them is for the run to find out.
void requireVolumes(const std::vector<std::string>& volumes) {
    constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:";
    for (const auto& name : volumes) {
        if (!name.empty() && name.size() <= maxJobName && name.find_first_not_of(allowed) == name.npos) continue;
        throw InvalidArgs(fmt::format("Option \"volumes\": {} is not NAME or NAME:OTHER.", shown(name)));
    }
}

/// The options for a restore into volumes, which have no path to name.
void takeVolumes(Options& options, RestoreTask& task) {
    task.volumes = options.texts("volumes");
    task.intoVolumes = options.flag("intoVolumes") || !task.volumes.empty();
    task.engineSocket = options.text("engineSocket", maxPath).value_or("");
    if (!task.intoVolumes) {
        if (!task.engineSocket.empty()) throw InvalidArgs("Option \"engineSocket\" is for a restore into volumes.");
        return;
    }
    requireVolumes(task.volumes);
    if (!task.target.empty()) throw InvalidArgs("A restore into volumes has no other target: leave that empty.");
    if (!task.paths.empty()) throw InvalidArgs("A volume is restored whole: \"paths\" cannot choose from it.");
    if (!task.engineSocket.empty()) requireFolder(task.engineSocket);
    task.target = task.volumes.empty() ? "volumes" : fmt::format("volumes {}", fmt::join(task.volumes, ", "));
}

void requireTarget(const nlohmann::json& backup, const RestoreTask& task) {
    if (task.intoVolumes) {
        if (backup.value("Source", "") != "docker") {
            throw InvalidArgs(
                "This is no backup of volumes of containers; it needs the path of a folder, or a dataset.");
        }
    } else if (backup.value("Format", "") != "zfs-send") {
        requireFolder(task.target);
    } else {
        requireDataset(task.target);
        if (!task.paths.empty()) throw InvalidArgs("A ZFS stream is restored whole: \"paths\" cannot choose from it.");
    }
}

/// Lists with a line for each, which no name has.
Details detailsOf(const RestoreTask& task, const std::string& backup) {
    Details details{{"backup", backup},
                    {"target", busText(task.target)},
                    {"force", task.force ? "true" : "false"},
                    {"intoVolumes", task.intoVolumes ? "true" : "false"}};
    details.emplace("paths", busText(fmt::format("{}", fmt::join(task.paths, "\n"))));
    details.emplace("volumes", busText(fmt::format("{}", fmt::join(task.volumes, "\n"))));
    details.emplace("engineSocket", busText(task.engineSocket));
    return details;
}

std::string promptOf(const RestoreTask& task, const std::string& backup, const std::string& from) {
    const char* part = task.paths.empty() ? "" : "a part of ";
    auto prompt = fmt::format("Authentication is required to restore {}the backup {} from {} to {}", part, backup, from,
                              quotedForPrompt(task.target));
    if (!task.engineSocket.empty()) prompt += fmt::format(" of the engine at {}", quotedForPrompt(task.engineSocket));
    if (task.force) prompt += ", replacing what is there";
    return prompt;
}

/// How people name a backup.
std::string nameOf(const nlohmann::json& backup) { return backup.value("Run", backup.value("Manifest", "")); }

} // namespace

BackupRequests::Place BackupRequests::parsePlace(std::string remote, std::string path) {
    requireRemoteName(remote);
    requireBelowRemote(path);
    return {std::move(remote), std::move(path)};
}

std::string BackupRequests::Place::quoted() const { return quotedForPrompt(text()); }

awaitable<std::uint32_t> BackupRequests::authorize(Caller caller, const char* action, Place place, std::string message,
                                                   Details more) {
    // The action's own message names a job, which may be known only to the remote.
    more.emplace("polkit.message", busText(message));
    more.emplace("destination", busText(place.text()));
    co_return co_await services_.polkit.authorize(std::move(caller), action, std::move(more));
}

awaitable<nlohmann::json> BackupRequests::ask(Caller caller, Place place, const char* question,
                                              nlohmann::json request) {
    const auto ticket = services_.probes.take(services_.polkit.uidOf(caller));
    request["ask"] = question;
    request["rcloneConfig"] = services_.demandSettings().rcloneConfig.string();
    request["remote"] = place.remote;
    request["path"] = place.path;
    auto answer = co_await services_.prober.ask(std::move(request));
    if (answer.value("noSuchRemote", false)) throw NoSuchRemote(answer.value("error", ""));
    co_return answer;
}

Reply<std::vector<VariantMap>> BackupRequests::list(Caller caller, std::string remote, std::string path,
                                                    VariantMap optionMap) {
    Options options(std::move(optionMap));
    const auto limit = options.number("limit").value_or(defaultPage);
    nlohmann::json request = nlohmann::json::object();
    request["job"] = options.text("job", maxJobName).value_or("");
    request["run"] = options.text("run", idLength).value_or("");
    request["limit"] = std::min<std::uint64_t>(limit == 0 ? defaultPage : limit, maxPage);
    request["offset"] = options.number("offset").value_or(0);
    const bool withJob = options.flag("withJob");
    request["withJob"] = withJob;
    options.refuseRest();
    if (withJob && request["run"] == "") {
        throw InvalidArgs("Option \"withJob\" needs \"run\": jobs are read one by one.");
    }
    const Place place = parsePlace(std::move(remote), std::move(path));
    co_await authorize(caller, action::listBackups, place,
                       "Authentication is required to list the backups in " + place.quoted(), {});
    const nlohmann::json answer = co_await ask(caller, place, "backups", std::move(request));
    const auto& found = answer.at("backups");
    std::vector<VariantMap> rows;
    for (const auto& row : found) rows.push_back(toVariantMap(row));
    co_return std::tuple{std::move(rows)};
}

Reply<std::vector<std::string>> BackupRequests::listFolders(Caller caller, std::string remote, std::string path,
                                                            VariantMap options) {
    refuseOptions(options);
    const Place place = parsePlace(std::move(remote), std::move(path));
    co_await authorize(caller, action::listBackups, place,
                       "Authentication is required to look for backups in " + place.quoted(), {});
    const nlohmann::json answer = co_await ask(caller, place, "backupFolders", nlohmann::json::object());
    auto folders = answer.at("folders").get<std::vector<std::string>>();
    if (folders.size() > maxPage) {
        throw Error(fmt::format("{} folders below {} hold backups, which is more than {}: name one of them.",
                                folders.size(), place.text(), maxPage));
    }
    for (auto& folder : folders) folder = busText(folder);
    co_return std::tuple{std::move(folders)};
}

awaitable<nlohmann::json> BackupRequests::findBackup(Caller caller, Place place, std::string backup) {
    nlohmann::json request = nlohmann::json::object();
    request["run"] = backup;
    nlohmann::json answer = co_await ask(std::move(caller), place, "backups", std::move(request));
    auto& found = answer.at("backups");
    if (found.empty()) throw NoSuchBackup(fmt::format("There is no backup {} in {}.", backup, place.text()));
    if (found.size() > 1) {
        throw InvalidArgs(fmt::format("{} is the beginning of more than one backup's id; give more of it.", backup));
    }
    const auto error = found.front().value("Error", "");
    if (!error.empty()) {
        throw Error(fmt::format("The backup {} cannot be restored: {}", nameOf(found.front()), error));
    }
    co_return std::move(found.front());
}

Reply<std::string, sdbus::ObjectPath> BackupRequests::restore(Caller caller, std::string remote, std::string path,
                                                              std::string backup, std::string target,
                                                              VariantMap optionMap) {
    Options options(std::move(optionMap));
    RestoreTask task;
    task.target = std::move(target);
    task.force = options.flag("force");
    task.paths = options.texts("paths");
    takeVolumes(options, task);
    options.refuseRest();
    const Place place = parsePlace(std::move(remote), std::move(path));
    requireIdPart(backup);
    requireInside(task.paths);
    const std::uint32_t uid = co_await authorize(caller, action::restore, place, promptOf(task, backup, place.quoted()),
                                                 detailsOf(task, backup));
    const nlohmann::json found = co_await findBackup(caller, place, backup);
    requireTarget(found, task);
    task.backup = found.at("Run").get<std::string>();
    task.format = found.at("Format").get<std::string>();
    co_return enqueue(std::move(task), found, place, uid);
}

Reply<std::string, sdbus::ObjectPath> BackupRequests::verify(Caller caller, std::string remote, std::string path,
                                                             std::string backup, VariantMap optionMap) {
    Options options(std::move(optionMap));
    VerifyTask task{.backup = {}, .deep = options.flag("deep")};
    const auto job = options.text("job", maxJobName).value_or("");
    options.refuseRest();
    const Place place = parsePlace(std::move(remote), std::move(path));
    if (backup.empty() == job.empty()) throw InvalidArgs("Name either a backup or, with the option \"job\", a job.");
    if (!backup.empty()) requireIdPart(backup);
    Details details{{"backup", backup}, {"job", busText(job)}, {"deep", task.deep ? "true" : "false"}};
    const std::uint32_t uid =
        co_await authorize(caller, action::verify, place,
                           "Authentication is required to verify backups in " + place.quoted(), std::move(details));
    nlohmann::json found{{"Job", job}};
    if (!backup.empty()) found = co_await findBackup(caller, place, backup);
    task.backup = found.value("Run", "");
    co_return enqueue(std::move(task), found, place, uid);
}

std::tuple<std::string, sdbus::ObjectPath> BackupRequests::enqueue(Task task, const nlohmann::json& backup,
                                                                   const Place& place, std::uint32_t uid) {
    Job job;
    job.name = backup.at("Job").get<std::string>();
    job.remoteName = place.remote;
    job.destinationPath = place.path;
    if (backup.contains("Source")) job.source = emptySourceConfig(backup.at("Source").get<std::string>());
    const Run& run =
        services_.dispatcher.enqueue(planTask(std::move(task), std::move(job), services_.demandSettings(), uid));
    return {run.plan.id, runPath(run.plan.id)};
}

} // namespace holdfast
