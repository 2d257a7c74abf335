#pragma once

#include "run/plan.hpp"
#include "run/state.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
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

/// `/var/lib/holdfast/history.db`, SQLite in WAL mode. A database that is corrupt is set aside as
/// `history.db.corrupt-<UTC>` and a fresh one begun; `setAside()` then says where it lies.
class History {
  public:
    /// Throws `Error` if it cannot be used for another reason (no space, no permission, written by a newer version).
    explicit History(const std::filesystem::path& file);
    ~History();

    /// Recording the same run again replaces its entry. Durable when it returns. Throws `Error`.
    void record(const HistoryEntry& entry);
    [[nodiscard]] std::optional<HistoryEntry> find(const std::string& id) const;
    /// Newest first; at most 1000 a call.
    [[nodiscard]] std::vector<HistoryEntry> list(const HistoryFilter& filter, std::uint32_t limit,
                                                 std::uint32_t offset) const;
    /// The last backup of the job, however it ended.
    [[nodiscard]] std::optional<HistoryEntry> lastOfJob(const std::string& job) const;
    [[nodiscard]] std::optional<std::filesystem::path> setAside() const { return setAside_; }

  private:
    void startAfresh();

    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::optional<std::filesystem::path> setAside_;
};

} // namespace holdfast
