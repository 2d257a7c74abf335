#pragma once

#include "bus/handlers.hpp"
#include "bus/org.holdfast1.adaptor.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

/// `/org/holdfast1`.
class ManagerObject final
    : public sdbus::AdaptorInterfaces<org::holdfast1::Manager_adaptor, sdbus::ObjectManager_adaptor> {
  public:
    explicit ManagerObject(Handlers& handlers);
    ~ManagerObject();

    /// Emits PropertiesChanged for what has changed since the last time.
    void emitChanges();

  private:
    using Row = sdbus::Struct<std::string, std::string>;
    struct Properties {
        Settings settings;
        std::uint32_t activeRuns = 0;
        std::uint32_t queuedRuns = 0;
        std::vector<BrokenJob> brokenJobs;
    };
    [[nodiscard]] Properties current() const;
    [[nodiscard]] const Settings& settings() const { return handlers_.services.settings; }

    void CreateJob(sdbus::Result<sdbus::ObjectPath>&& result, std::string config, VariantMap options) override;
    void ValidateJob(sdbus::Result<std::vector<JobRequests::ProblemRow>>&& result, std::string config,
                     VariantMap options) override;
    void GetJob(sdbus::Result<sdbus::ObjectPath>&& result, std::string name, VariantMap options) override;
    void ListJobs(sdbus::Result<std::vector<JobRequests::JobRow>>&& result, VariantMap options) override;
    void StartJob(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string name,
                  VariantMap options) override;
    void Drill(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string name, VariantMap options) override;
    void StopJob(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result, std::string name,
                 VariantMap options) override;
    void GetRun(sdbus::Result<VariantMap>&& result, std::string id, VariantMap options) override;
    void ListRuns(sdbus::Result<std::vector<VariantMap>>&& result, std::uint32_t limit, std::uint32_t offset,
                  VariantMap filter) override;
    void ListRemotes(sdbus::Result<std::vector<Row>>&& result, VariantMap options) override;
    void CheckRemote(sdbus::Result<VariantMap>&& result, std::string name, VariantMap options) override;
    void ListBackups(sdbus::Result<std::vector<VariantMap>>&& result, std::string remote, std::string path,
                     VariantMap options) override;
    void ListBackupFolders(sdbus::Result<std::vector<std::string>>&& result, std::string remote, std::string path,
                           VariantMap options) override;
    void Restore(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string remote, std::string path,
                 std::string backup, std::string target, VariantMap options) override;
    void Verify(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string remote, std::string path,
                std::string backup, VariantMap options) override;
    void PreviewPrune(sdbus::Result<std::vector<VariantMap>>&& result, std::string job, VariantMap options) override;
    void Prune(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string job, VariantMap options) override;
    void FindOrphans(sdbus::Result<std::vector<VariantMap>>&& result, std::string remote, std::string path,
                     VariantMap options) override;
    void RemoveOrphans(sdbus::Result<std::string, sdbus::ObjectPath>&& result, std::string remote, std::string path,
                       VariantMap options) override;
    void Reload(sdbus::Result<>&& result, VariantMap options) override;

    std::string Version() override;
    std::string JobSchema() override;
    std::uint32_t MaxConcurrentStreaming() override { return settings().maxConcurrentStreaming; }
    std::uint32_t MaxConcurrentCopies() override { return settings().maxConcurrentCopies; }
    std::uint64_t MaxTotalBandwidth() override { return settings().maxTotalBandwidth; }
    std::uint32_t MaxQueuedRuns() override { return settings().maxQueuedRuns; }
    std::uint64_t QueueTimeoutUSec() override { return settings().queueTimeout; }
    std::uint32_t MaxAttempts() override { return settings().maxAttempts; }
    std::uint64_t RetryDelayUSec() override { return settings().retryDelay; }
    std::uint64_t RetryDelayMaxUSec() override { return settings().retryDelayMax; }
    std::uint64_t StallWarningUSec() override { return settings().stallWarning; }
    std::uint64_t StallTimeoutUSec() override { return settings().stallTimeout; }
    std::uint64_t KillDelayUSec() override { return settings().killDelay; }
    std::uint64_t HistoryMaxAgeUSec() override { return settings().historyMaxAge; }
    std::uint32_t HistoryMaxRuns() override { return settings().historyMaxRuns; }
    std::uint32_t ActiveRuns() override { return current().activeRuns; }
    std::uint32_t QueuedRuns() override { return current().queuedRuns; }
    std::vector<Row> BrokenJobs() override;

    template<typename... Out>
    void serveCall(sdbus::Result<Out...>&& result, Reply<Out...>&& method, const char* name);
    [[nodiscard]] Caller caller() { return compat::currentCaller(getObject()); }

    Handlers& handlers_;
    Properties emitted_;
};

} // namespace holdfast
