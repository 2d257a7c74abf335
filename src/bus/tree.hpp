#pragma once

#include "bus/handlers.hpp"
#include "bus/job_checks.hpp"
#include "bus/job_objects.hpp"
#include "bus/manager_object.hpp"
#include "bus/run_object.hpp"

#include <map>
#include <memory>
#include <string>

namespace holdfast {

/// All objects on the bus. Follows the store and the dispatcher: an object is there as soon as its job or run is, the
/// signals go through the outbox.
class Tree final : public RunObserver {
  public:
    Tree(asio::io_context& io, sdbus::IConnection& connection, Services& services);

    /// To be called when the bus name is about to be taken: from now on, changes of jobs are signalled.
    void announce() { jobs_.announce(); }
    /// Looks in the background whether the jobs can do what they say.
    void checkJobs() { checks_.lookSoon(); }

    /// Reads settings and jobs again (SIGHUP). Throws `Error` if the settings are broken.
    void reload();

    void runAdded(const Run& run) override;
    void runStarted(const Run& run) override;
    void runChanged(const Run& run) override;
    void runFinished(const Run& run) override;
    void runForgotten(const Run& run) override;

  private:
    void syncJobs();
    void syncJob(const Job& job);
    void showNextRun(const std::string& job);
    RunObject& showRun(const Run& run);
    void emitManagerChanges();

    Services& services_;
    JobChecks checks_;
    JobRequests jobRequests_;
    RunRequests runRequests_;
    RemoteRequests remoteRequests_;
    BackupRequests backupRequests_;
    RetentionRequests retentionRequests_;
    Handlers handlers_;
    ManagerObject manager_;
    JobObjects jobs_;
    std::map<std::string, std::shared_ptr<RunObject>> runs_;
    bool managerChanged_ = false;
};

} // namespace holdfast
