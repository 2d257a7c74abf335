#pragma once

#include "holdfastctl/bus_json.hpp"
#include "holdfastctl/service_error.hpp"
#include "util/sdbus_compat.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast::ctl {

constexpr auto serviceName = "org.holdfast1";
constexpr auto managerPath = "/org/holdfast1";
constexpr auto managerInterface = "org.holdfast1.Manager";
constexpr auto jobInterface = "org.holdfast1.Job";
constexpr auto runInterface = "org.holdfast1.Run";

/// Path of a live run's object.
std::string runPath(const std::string& id);

struct StartedRun {
    std::string id;
    std::string path;
};

struct StoppedRuns {
    std::vector<std::string> stopped; ///< ids
    std::vector<std::string> errors;  ///< a sentence for each run that goes on
};

struct RunFilter {
    std::optional<std::string> job;
    std::optional<std::string> result;
};

struct Remote {
    std::string name;
    std::string type;
};

/// Where backups lie.
struct BackupPlace {
    std::string remote;
    std::string path;
};

struct RestoreOptions {
    bool force = false;
    bool follow = false;
    std::vector<std::string> paths;
    bool intoVolumes = false;
    std::vector<std::string> volumes; ///< "NAME" or "NAME:OTHER"; empty: all
    std::string engineSocket;
};

/// The service's API (dbus/org.holdfast1.xml) in plain data; a member here for each there. All throw `ServiceError`.
/// The bus is connected to by the first call.
class Client {
  public:
    /// `mayAsk`: whether polkit may ask the person at the terminal for a password.
    explicit Client(bool mayAsk) : mayAsk_(mayAsk) {}

    void createJob(const std::string& config);
    std::vector<Problem> validateJob(const std::string& config);
    std::string jobConfig(const std::string& name);
    nlohmann::json jobProperties(const std::string& name);
    void updateJob(const std::string& name, const nlohmann::json& mergePatch);
    void removeJob(const std::string& name);
    /// `scheduled`: by a timer, which starts nothing while a run of the job lives.
    StartedRun startJob(const std::string& name, bool scheduled = false);
    /// As startJob(); `deep`: instead of what the job says.
    StartedRun drill(const std::string& name, bool scheduled, std::optional<bool> deep);
    StoppedRuns stopJob(const std::string& name);

    nlohmann::json run(const std::string& id);
    /// Newest first, at most 1000.
    std::vector<nlohmann::json> runs(std::uint32_t limit, const RunFilter& filter);
    void cancelRun(const std::string& id);

    std::vector<Remote> remotes();
    nlohmann::json checkRemote(const std::string& name, const std::optional<std::string>& path);

    /// Newest first, all of them; of one job, if `job` is not empty.
    std::vector<nlohmann::json> backups(const BackupPlace& place, const std::string& job);
    /// Those whose run's id begins so. `withJob`: with the document of the job that made it, `jobDocument`.
    std::vector<nlohmann::json> backupsOfRun(const BackupPlace& place, const std::string& run, bool withJob = false);
    /// The places, at and anywhere below this one, where there are backups.
    std::vector<BackupPlace> backupPlaces(const BackupPlace& below);
    StartedRun restore(const BackupPlace& place, const std::string& backup, const std::string& target,
                       const RestoreOptions& options);
    /// Of one backup, or of all of a job's.
    StartedRun verify(const BackupPlace& place, const std::string& backup, const std::string& job, bool deep);

    /// Every backup of the job, and whether it would stay.
    std::vector<nlohmann::json> previewPrune(const std::string& job);
    StartedRun prune(const std::string& job);
    /// `anyRun`: also of runs that this machine does not know.
    std::vector<nlohmann::json> findOrphans(const BackupPlace& place, bool anyRun);
    StartedRun removeOrphans(const BackupPlace& place, bool anyRun);

    void reload();
    nlohmann::json managerProperties();

    /// The properties of every job and every live run, in one look.
    struct Objects {
        std::vector<nlohmann::json> jobs; ///< by name
        std::vector<nlohmann::json> runs;
    };
    Objects objects();

    sdbus::IConnection& connection();

  private:
    /// What a call may have to wait for: nothing; a probe; a probe, and a person whom polkit asks.
    enum class Takes { Moment, Probe, Authorization };

    /// A method of the API: its last argument, the options, is `options`.
    template<typename... Results, typename... Arguments>
    std::tuple<Results...> call(Takes takes, const std::string& path, const char* interface, const char* method,
                                const Arguments&... arguments);
    sdbus::MethodReply send(sdbus::IProxy& proxy, sdbus::MethodCall& message, Takes takes);
    std::unique_ptr<sdbus::IProxy> proxy(const std::string& path);
    nlohmann::json properties(const std::string& path, const char* interface);
    std::string jobPath(const std::string& name);

    bool mayAsk_;
    std::unique_ptr<sdbus::IConnection> connection_;
};

} // namespace holdfast::ctl
