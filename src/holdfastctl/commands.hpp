#pragma once

#include "holdfastctl/client.hpp"
#include "holdfastctl/output.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The commands. Each returns what the program exits with, or throws what is to be printed.
namespace holdfast::ctl {

struct Context {
    Client& client;
    Output& out;
};

// jobs.cpp
int createJob(Context& context, const std::string& file);
/// The job that has made the backup, to go on where that lies; `printOnly`: only shows its document.
int createJobFromBackup(Context& context, const std::string& which, const std::optional<BackupPlace>& place,
                        bool printOnly, bool withoutAsking);
int validateJob(Context& context, const std::string& file);
int listJobs(Context& context);
int showJob(Context& context, const std::string& name, bool configOnly);
int setInJob(Context& context, const std::string& name, const std::vector<std::string>& assignments);
int removeJob(Context& context, const std::string& name, bool withoutAsking);

/// Tells of the backups that the job has left at `before`, if its destination is another now.
void tellOfBackupsLeft(Context& context, const std::string& name, const std::string& before);

// edit.cpp
int editJob(Context& context, const std::string& name);

// runs.cpp
int startJob(Context& context, const std::string& name, bool follow);
/// As a timer does: that the job is busy, disabled or gone is no failure.
int startScheduled(Context& context, const std::string& name);
/// `deep`: instead of what the job says.
int drillJob(Context& context, const std::string& name, bool follow, std::optional<bool> deep);
/// As a timer does: that a drill is under way, or that the job is disabled or gone, is no failure.
int drillScheduled(Context& context, const std::string& name);
int stopJob(Context& context, const std::string& name);
int listRuns(Context& context, const RunFilter& filter, std::uint32_t limit);
int showRun(Context& context, const std::string& which);
int cancelRun(Context& context, const std::string& which);
int showLog(Context& context, const std::string& which, bool follow);

// follow.cpp
/// Shows a run's progress until it ends; SIGINT ends only the showing.
int followRun(Context& context, const std::string& id);

// service.cpp, remotes.cpp
/// `check`: fails if any job needs attention.
int showStatus(Context& context, bool check);
int reload(Context& context);
int listRemotes(Context& context);
int checkRemote(Context& context, const std::string& name, const std::optional<std::string>& path);

// backups.cpp
/// With a place, in all folders below it too; without one, in that of the job; without a job either, in those of all
/// jobs.
int listBackups(Context& context, const std::string& job, const std::optional<BackupPlace>& place);
/// `which`: a run's id or the beginning of one; or the name of a job, for its newest backup or, to verify, all of them.
int restoreBackup(Context& context, const std::string& which, const std::string& target,
                  const std::optional<BackupPlace>& place, const RestoreOptions& options);
int verifyBackups(Context& context, const std::string& which, const std::optional<BackupPlace>& place, bool deep,
                  bool follow);

/// The job that has made a backup, as its manifest has it.
struct JobOfBackup {
    std::string run;
    BackupPlace place;
    std::string document;
    std::vector<std::string> lacks; ///< JSON pointers to what may be secret, and is not in the document
};
JobOfBackup jobOfBackup(Client& client, const std::string& which, const std::optional<BackupPlace>& place);

// retention.cpp
/// Says what would go, and why; `now`: removes it.
int pruneJob(Context& context, const std::string& job, bool now, bool follow);
/// Says what runs have left that is no backup; `remove`: removes it. `anyRun`: also of runs that this machine does not
/// know.
int tidyUp(Context& context, const BackupPlace& place, bool remove, bool anyRun, bool follow);

/// Tells of a run that has been started or, with `follow`, shows it until it ends. `what` begins a sentence.
int showStarted(Context& context, const StartedRun& run, bool follow, const std::string& what);

} // namespace holdfast::ctl
