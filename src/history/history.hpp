#pragma once

#include "run/plan.hpp"
#include "run/state.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// A finished run.
struct HistoryEntry {
    std::string id;
    std::string job;
    std::string kind;
    std::string unit;
    std::uint32_t startedByUid = 0;
    std::uint32_t maxAttempts = 0;
    USec queuedAt = 0;
    std::string outputPath;
    RunResult result;
};

struct HistoryFilter {
    std::optional<std::string> job;
    std::optional<std::string> result;
    std::optional<USec> since; ///< of queuedAt
    std::optional<USec> until;
    bool backupsOnly = false; ///< no restores, no verifications
};

/// A run that is remembered for what it was.
struct Milestone {
    std::string run;
    std::string result;
    USec finishedAt = 0;
};

/// Whether the run has read the job's newest backup back, with all that it hangs on: a deep drill or verification that
/// was done, of a backup that was the newest then.
bool provesNewest(const HistoryEntry& entry);

/// What is kept. 0 stands for no limit.
struct Retention {
    USec since = 0; ///< runs that were queued before that time go
    std::uint32_t maxRuns = 0;
};

/// `/var/lib/holdfast/history.db`, SQLite in WAL mode. A database that is found to be corrupt, when it is opened or at
/// any time later, is set aside as `history.db.broken-<UTC>` with its companions, and a fresh one begun.
class History {
  public:
    using SetAside = std::function<void(const std::filesystem::path& where)>;

    /// `setAside` is told of each database that was corrupt. Throws `Error` if it cannot be used for another reason (no
    /// space, no permission, written by a newer version).
    explicit History(const std::filesystem::path& file, SetAside setAside = {});
    ~History();

    /// Recording the same run again replaces its entry. Durable when it returns. Throws `Error`.
    void record(const HistoryEntry& entry);
    [[nodiscard]] std::optional<HistoryEntry> find(const std::string& id) const;
    /// Newest first; at most 1000 a call.
    [[nodiscard]] std::vector<HistoryEntry> list(const HistoryFilter& filter, std::uint32_t limit,
                                                 std::uint32_t offset) const;
    /// Backups of the job that were read back whole, at most 1000. Outlives the runs that tell of it.
    [[nodiscard]] std::vector<std::string> provenRuns(const std::string& job) const;
    /// Whose id begins so, of at most 1000.
    [[nodiscard]] std::vector<HistoryEntry> withIdPart(const std::string& idPart) const;
    /// The last backup of the job, however it ended.
    [[nodiscard]] std::optional<HistoryEntry> lastOfJob(const std::string& job) const;
    /// The last backup of the job that was done.
    [[nodiscard]] std::optional<HistoryEntry> lastSuccessOfJob(const std::string& job) const;
    /// How the last drill of the job ended, and when its newest backup was proven last; of backups that lie in `place`
    /// ("remote:path"). Outlives the runs that tell of it.
    [[nodiscard]] std::optional<Milestone> lastDrill(const std::string& job, const std::string& place) const;
    [[nodiscard]] std::optional<Milestone> lastProof(const std::string& job, const std::string& place) const;

    /// Removes runs that need not be kept, the oldest first, but never the last one of a job: at most `batch`, so that
    /// nobody waits long. Returns how many; fewer than `batch` means that it is done. Throws `Error`.
    std::uint32_t prune(const Retention& retention, std::uint32_t batch);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace holdfast
