#include "holdfastctl/client.hpp"

#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/password_agent.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace holdfast::ctl {

using nlohmann::json;
using std::chrono::microseconds;

namespace {

constexpr microseconds momentTimeout = std::chrono::seconds(30);
/// A person types a password, or a probe asks a slow remote; the service has its own, shorter limits.
constexpr microseconds patientTimeout = std::chrono::minutes(10);

const VariantMap noOptions;

using Interfaces = std::map<std::string, VariantMap>;

} // namespace

std::string runPath(const std::string& id) { return fmt::format("{}/run/{}", managerPath, id); }

sdbus::IConnection& Client::connection() {
    if (connection_) return *connection_;
    try {
        connection_ = sdbus::createSystemBusConnection();
    } catch (const sdbus::Error& error) {
        throw ServiceError(
            error.getName(),
            fmt::format("The system bus cannot be reached: {}. Is D-Bus running on this machine?", error.getMessage()),
            exitWith::unreachable);
    }
    return *connection_;
}

std::unique_ptr<sdbus::IProxy> Client::proxy(const std::string& path) {
    return sdbus::createProxy(connection(), compat::ServiceName(serviceName), sdbus::ObjectPath(path));
}

sdbus::MethodReply Client::send(sdbus::IProxy& proxy, sdbus::MethodCall& message, Takes takes) {
    const bool ask = mayAsk_ && takes == Takes::Authorization;
    std::optional<PasswordAgent> agent;
    if (ask) {
        compat::allowInteractiveAuthorization(message);
        if (PasswordAgent::isWanted()) agent.emplace();
    }
    const auto timeout = takes == Takes::Moment ? momentTimeout : patientTimeout;
    return proxy.callMethod(message, static_cast<std::uint64_t>(timeout.count()));
}

template<typename... Results, typename... Arguments>
std::tuple<Results...> Client::call(Takes takes, const std::string& path, const char* interface, const char* method,
                                    const Arguments&... arguments) {
    try {
        const auto object = proxy(path);
        auto message = object->createMethodCall(compat::InterfaceName(interface), compat::MethodName(method));
        ((void)(message << arguments), ...);
        [[maybe_unused]] auto reply = send(*object, message, takes);
        std::tuple<Results...> results;
        std::apply([&](auto&... result) { ((void)(reply >> result), ...); }, results);
        return results;
    } catch (const sdbus::Error& error) {
        throw describe(error);
    }
}

json Client::properties(const std::string& path, const char* interface) {
    const auto [values] =
        call<VariantMap>(Takes::Moment, path, "org.freedesktop.DBus.Properties", "GetAll", std::string(interface));
    return toJson(values);
}

std::string Client::jobPath(const std::string& name) {
    const auto [path] =
        call<sdbus::ObjectPath>(Takes::Moment, managerPath, managerInterface, "GetJob", name, noOptions);
    return path;
}

void Client::createJob(const std::string& config) {
    call<sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface, "CreateJob", config, noOptions);
}

std::vector<Problem> Client::validateJob(const std::string& config) {
    using Row = sdbus::Struct<std::string, std::string, std::string>;
    // Nobody is asked for a password just to hear what is wrong with a file; the live rules are for those who may
    // already.
    const auto [rows] =
        call<std::vector<Row>>(Takes::Probe, managerPath, managerInterface, "ValidateJob", config, noOptions);
    std::vector<Problem> problems;
    for (const auto& row : rows) problems.push_back({std::get<0>(row), std::get<1>(row), std::get<2>(row)});
    return problems;
}

std::string Client::jobConfig(const std::string& name) {
    return std::get<0>(call<std::string>(Takes::Authorization, jobPath(name), jobInterface, "GetConfig", noOptions));
}

json Client::jobProperties(const std::string& name) { return properties(jobPath(name), jobInterface); }

void Client::updateJob(const std::string& name, const json& mergePatch) {
    call<>(Takes::Authorization, jobPath(name), jobInterface, "Update", mergePatch.dump(), noOptions);
}

void Client::removeJob(const std::string& name) {
    call<>(Takes::Authorization, jobPath(name), jobInterface, "Remove", noOptions);
}

StartedRun Client::startJob(const std::string& name, bool scheduled) {
    VariantMap options;
    if (scheduled) options["scheduled"] = sdbus::Variant(true);
    const auto [id, path] = call<std::string, sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface,
                                                                 "StartJob", name, options);
    return {id, path};
}

StartedRun Client::drill(const std::string& name, bool scheduled, std::optional<bool> deep) {
    VariantMap options;
    if (scheduled) options["scheduled"] = sdbus::Variant(true);
    if (deep) options["deep"] = sdbus::Variant(*deep);
    const auto [id, path] = call<std::string, sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface,
                                                                 "Drill", name, options);
    return {id, path};
}

StoppedRuns Client::stopJob(const std::string& name) {
    using Texts = std::vector<std::string>;
    const auto [stopped, errors] =
        call<Texts, Texts>(Takes::Authorization, managerPath, managerInterface, "StopJob", name, noOptions);
    return {stopped, errors};
}

json Client::run(const std::string& id) {
    const auto [values] = call<VariantMap>(Takes::Moment, managerPath, managerInterface, "GetRun", id, noOptions);
    return toJson(values);
}

std::vector<json> Client::runs(std::uint32_t limit, const RunFilter& filter) {
    VariantMap options;
    if (filter.job) options["job"] = sdbus::Variant(*filter.job);
    if (filter.result) options["result"] = sdbus::Variant(*filter.result);
    const auto [rows] = call<std::vector<VariantMap>>(Takes::Moment, managerPath, managerInterface, "ListRuns", limit,
                                                      std::uint32_t{0}, options);
    std::vector<json> runs;
    std::transform(rows.begin(), rows.end(), std::back_inserter(runs),
                   [](const VariantMap& row) { return toJson(row); });
    return runs;
}

void Client::cancelRun(const std::string& id) {
    call<>(Takes::Authorization, runPath(id), runInterface, "Cancel", noOptions);
}

std::vector<Remote> Client::remotes() {
    using Row = sdbus::Struct<std::string, std::string>;
    const auto [rows] =
        call<std::vector<Row>>(Takes::Authorization, managerPath, managerInterface, "ListRemotes", noOptions);
    std::vector<Remote> remotes;
    for (const auto& row : rows) remotes.push_back({std::get<0>(row), std::get<1>(row)});
    return remotes;
}

json Client::checkRemote(const std::string& name, const std::optional<std::string>& path) {
    VariantMap options;
    if (path) options["path"] = sdbus::Variant(*path);
    const auto [report] =
        call<VariantMap>(Takes::Authorization, managerPath, managerInterface, "CheckRemote", name, options);
    return toJson(report);
}

std::vector<json> Client::backups(const BackupPlace& place, const std::string& job) {
    constexpr std::uint64_t page = 1000;
    std::vector<json> backups;
    for (std::uint64_t offset = 0; backups.size() == offset; offset += page) {
        VariantMap options{{"limit", sdbus::Variant(page)}, {"offset", sdbus::Variant(offset)}};
        if (!job.empty()) options["job"] = sdbus::Variant(job);
        const auto [rows] = call<std::vector<VariantMap>>(Takes::Authorization, managerPath, managerInterface,
                                                          "ListBackups", place.remote, place.path, options);
        for (const auto& row : rows) backups.push_back(toJson(row));
    }
    return backups;
}

std::vector<json> Client::backupsOfRun(const BackupPlace& place, const std::string& run, bool withJob) {
    VariantMap options{{"run", sdbus::Variant(run)}};
    if (withJob) options["withJob"] = sdbus::Variant(true);
    const auto [rows] = call<std::vector<VariantMap>>(Takes::Authorization, managerPath, managerInterface,
                                                      "ListBackups", place.remote, place.path, options);
    std::vector<json> backups;
    for (const auto& row : rows) backups.push_back(toJson(row));
    return backups;
}

std::vector<BackupPlace> Client::backupPlaces(const BackupPlace& below) {
    const auto [paths] = call<std::vector<std::string>>(Takes::Authorization, managerPath, managerInterface,
                                                        "ListBackupFolders", below.remote, below.path, noOptions);
    std::vector<BackupPlace> places;
    for (const auto& path : paths) places.push_back({below.remote, path});
    return places;
}

StartedRun Client::restore(const BackupPlace& place, const std::string& backup, const std::string& target,
                           const RestoreOptions& wanted) {
    VariantMap options{{"force", sdbus::Variant(wanted.force)}};
    if (!wanted.paths.empty()) options["paths"] = sdbus::Variant(wanted.paths);
    if (wanted.intoVolumes) options["intoVolumes"] = sdbus::Variant(true);
    if (!wanted.volumes.empty()) options["volumes"] = sdbus::Variant(wanted.volumes);
    if (!wanted.engineSocket.empty()) options["engineSocket"] = sdbus::Variant(wanted.engineSocket);
    const auto [id, path] =
        call<std::string, sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface, "Restore",
                                             place.remote, place.path, backup, target, options);
    return {id, path};
}

StartedRun Client::verify(const BackupPlace& place, const std::string& backup, const std::string& job, bool deep) {
    VariantMap options{{"deep", sdbus::Variant(deep)}};
    if (backup.empty()) options["job"] = sdbus::Variant(job);
    const auto [id, path] = call<std::string, sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface,
                                                                 "Verify", place.remote, place.path, backup, options);
    return {id, path};
}

std::vector<json> Client::previewPrune(const std::string& job) {
    const auto [rows] = call<std::vector<VariantMap>>(Takes::Authorization, managerPath, managerInterface,
                                                      "PreviewPrune", job, noOptions);
    std::vector<json> backups;
    for (const auto& row : rows) backups.push_back(toJson(row));
    return backups;
}

StartedRun Client::prune(const std::string& job) {
    const auto [id, path] = call<std::string, sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface,
                                                                 "Prune", job, noOptions);
    return {id, path};
}

std::vector<json> Client::findOrphans(const BackupPlace& place, bool anyRun) {
    const VariantMap options{{"anyRun", sdbus::Variant(anyRun)}};
    const auto [rows] = call<std::vector<VariantMap>>(Takes::Authorization, managerPath, managerInterface,
                                                      "FindOrphans", place.remote, place.path, options);
    std::vector<json> orphans;
    for (const auto& row : rows) orphans.push_back(toJson(row));
    return orphans;
}

StartedRun Client::removeOrphans(const BackupPlace& place, bool anyRun) {
    const VariantMap options{{"anyRun", sdbus::Variant(anyRun)}};
    const auto [id, path] = call<std::string, sdbus::ObjectPath>(Takes::Authorization, managerPath, managerInterface,
                                                                 "RemoveOrphans", place.remote, place.path, options);
    return {id, path};
}

void Client::reload() { call<>(Takes::Authorization, managerPath, managerInterface, "Reload", noOptions); }

json Client::managerProperties() { return properties(managerPath, managerInterface); }

Client::Objects Client::objects() {
    const auto [tree] = call<std::map<sdbus::ObjectPath, Interfaces>>(
        Takes::Moment, managerPath, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
    Objects objects;
    for (const auto& [path, interfaces] : tree) {
        if (const auto job = interfaces.find(jobInterface); job != interfaces.end()) {
            objects.jobs.push_back(toJson(job->second));
        }
        if (const auto run = interfaces.find(runInterface); run != interfaces.end()) {
            objects.runs.push_back(toJson(run->second));
        }
    }
    std::sort(objects.jobs.begin(), objects.jobs.end(),
              [](const json& a, const json& b) { return a.value("name", "") < b.value("name", ""); });
    return objects;
}

} // namespace holdfast::ctl
