#include "bus/manager_object.hpp"

#include "bus/object_path.hpp"
#include "job/schema.hpp"

namespace holdfast {

ManagerObject::ManagerObject(Handlers& handlers)
    : AdaptorInterfaces(handlers.connection, sdbus::ObjectPath(managerPath)), handlers_(handlers), emitted_(current()) {
    registerAdaptor();
}

ManagerObject::~ManagerObject() { unregisterAdaptor(); }

ManagerObject::Properties ManagerObject::current() const {
    const Services& services = handlers_.services;
    return {services.settings, services.dispatcher.activeRuns(), services.dispatcher.queuedRuns(),
            whatIsBroken(services, handlers_.checks)};
}

void ManagerObject::emitChanges() {
    const Properties now = current();
    std::vector<compat::PropertyName> names;
    const auto compare = [&](const char* name, auto member) {
        if (emitted_.*member != now.*member) names.emplace_back(name);
    };
    const auto compareSetting = [&](const char* name, auto member) {
        if (emitted_.settings.*member != now.settings.*member) names.emplace_back(name);
    };
    compareSetting("MaxConcurrentStreaming", &Settings::maxConcurrentStreaming);
    compareSetting("MaxConcurrentCopies", &Settings::maxConcurrentCopies);
    compareSetting("MaxTotalBandwidth", &Settings::maxTotalBandwidth);
    compareSetting("MaxQueuedRuns", &Settings::maxQueuedRuns);
    compareSetting("QueueTimeoutUSec", &Settings::queueTimeout);
    compareSetting("MaxAttempts", &Settings::maxAttempts);
    compareSetting("RetryDelayUSec", &Settings::retryDelay);
    compareSetting("RetryDelayMaxUSec", &Settings::retryDelayMax);
    compareSetting("StallWarningUSec", &Settings::stallWarning);
    compareSetting("StallTimeoutUSec", &Settings::stallTimeout);
    compareSetting("KillDelayUSec", &Settings::killDelay);
    compareSetting("HistoryMaxAgeUSec", &Settings::historyMaxAge);
    compareSetting("HistoryMaxRuns", &Settings::historyMaxRuns);
    compare("ActiveRuns", &Properties::activeRuns);
    compare("QueuedRuns", &Properties::queuedRuns);
    compare("BrokenJobs", &Properties::brokenJobs);
    emitted_ = now;
    if (!names.empty()) compat::emitPropertiesChanged(getObject(), Manager_adaptor::INTERFACE_NAME, names);
}

template<typename... Out>
void ManagerObject::serveCall(sdbus::Result<Out...>&& result, Reply<Out...>&& method, const char* name) {
    serve(handlers_.io, std::move(result), std::move(method), name);
}

void ManagerObject::CreateJob(sdbus::Result<sdbus::ObjectPath>&& result, std::string config, VariantMap options) {
    serveCall(std::move(result), handlers_.jobs.create(caller(), std::move(config), std::move(options)), "CreateJob");
}

void ManagerObject::ValidateJob(sdbus::Result<std::vector<JobRequests::ProblemRow>>&& result, std::string config,
                                VariantMap options) {
    serveCall(std::move(result), handlers_.jobs.validate(caller(), std::move(config), std::move(options)),
              "ValidateJob");
}

void ManagerObject::GetJob(sdbus::Result<sdbus::ObjectPath>&& result, std::string name, VariantMap options) {
    serveCall(std::move(result), handlers_.jobs.find(std::move(name), std::move(options)), "GetJob");
}

void ManagerObject::ListJobs(sdbus::Result<std::vector<JobRequests::JobRow>>&& result, VariantMap options) {
    serveCall(std::move(result), handlers_.jobs.list(std::move(options)), "ListJobs");
}

void ManagerObject::StartJob(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string name,
                             VariantMap options) {
    serveCall(std::move(result), handlers_.runs.start(caller(), std::move(name), std::move(options)), "StartJob");
}

void ManagerObject::Drill(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string name,
                          VariantMap options) {
    serveCall(std::move(result), handlers_.runs.drill(caller(), std::move(name), std::move(options)), "Drill");
}

void ManagerObject::StopJob(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result,
                            std::string name, VariantMap options) {
    serveCall(std::move(result), handlers_.runs.stop(caller(), std::move(name), std::move(options)), "StopJob");
}

void ManagerObject::GetRun(sdbus::Result<VariantMap>&& result, std::string id, VariantMap options) {
    serveCall(std::move(result), handlers_.runs.find(caller(), std::move(id), std::move(options)), "GetRun");
}

void ManagerObject::ListRuns(sdbus::Result<std::vector<VariantMap>>&& result, std::uint32_t limit, std::uint32_t offset,
                             VariantMap filter) {
    serveCall(std::move(result), handlers_.runs.list(caller(), limit, offset, std::move(filter)), "ListRuns");
}

void ManagerObject::ListRemotes(sdbus::Result<std::vector<Row>>&& result, VariantMap options) {
    serveCall(std::move(result), handlers_.remotes.list(caller(), std::move(options)), "ListRemotes");
}

void ManagerObject::CheckRemote(sdbus::Result<VariantMap>&& result, std::string name, VariantMap options) {
    serveCall(std::move(result), handlers_.remotes.check(caller(), std::move(name), std::move(options)), "CheckRemote");
}

void ManagerObject::ListBackups(sdbus::Result<std::vector<VariantMap>>&& result, std::string remote, std::string path,
                                VariantMap options) {
    serveCall(std::move(result),
              handlers_.backups.list(caller(), std::move(remote), std::move(path), std::move(options)), "ListBackups");
}

void ManagerObject::ListBackupFolders(sdbus::Result<std::vector<std::string>>&& result, std::string remote,
                                      std::string path, VariantMap options) {
    serveCall(std::move(result),
              handlers_.backups.listFolders(caller(), std::move(remote), std::move(path), std::move(options)),
              "ListBackupFolders");
}

void ManagerObject::Restore(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string remote,
                            std::string path, std::string backup, std::string target, VariantMap options) {
    serveCall(std::move(result),
              handlers_.backups.restore(caller(), std::move(remote), std::move(path), std::move(backup),
                                        std::move(target), std::move(options)),
              "Restore");
}

void ManagerObject::Verify(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string remote, std::string path,
                           std::string backup, VariantMap options) {
    serveCall(
        std::move(result),
        handlers_.backups.verify(caller(), std::move(remote), std::move(path), std::move(backup), std::move(options)),
        "Verify");
}

void ManagerObject::PreviewPrune(sdbus::Result<std::vector<VariantMap>>&& result, std::string job, VariantMap options) {
    serveCall(std::move(result), handlers_.retention.previewPrune(caller(), std::move(job), std::move(options)),
              "PreviewPrune");
}

void ManagerObject::Prune(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string job, VariantMap options) {
    serveCall(std::move(result), handlers_.retention.prune(caller(), std::move(job), std::move(options)), "Prune");
}

void ManagerObject::FindOrphans(sdbus::Result<std::vector<VariantMap>>&& result, std::string remote, std::string path,
                                VariantMap options) {
    serveCall(std::move(result),
              handlers_.retention.findOrphans(caller(), std::move(remote), std::move(path), std::move(options)),
              "FindOrphans");
}

void ManagerObject::RemoveOrphans(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string remote,
                                  std::string path, VariantMap options) {
    serveCall(std::move(result),
              handlers_.retention.removeOrphans(caller(), std::move(remote), std::move(path), std::move(options)),
              "RemoveOrphans");
}

void ManagerObject::Reload(sdbus::Result<>&& result, VariantMap options) {
    serveCall(std::move(result), handlers_.jobs.reload(caller(), std::move(options)), "Reload");
}

std::string ManagerObject::Version() { return HOLDFAST_VERSION; }

std::string ManagerObject::JobSchema() { return jobSchemaText; }

std::vector<ManagerObject::Row> ManagerObject::BrokenJobs() {
    // What is wrong with a file quotes it, and a signal is for everybody.
    const bool all = handlers_.services.callers.current() == std::uint32_t{0};
    std::vector<Row> rows;
    for (const auto& broken : whatIsBroken(handlers_.services, handlers_.checks))
        rows.emplace_back(busText(broken.file), all ? busText(broken.why) : "What is wrong with it is told to root.");
    return rows;
}

} // namespace holdfast
