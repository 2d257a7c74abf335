#pragma once

#include "run/paths.hpp"
#include "run/plan.hpp"
#include "run/state.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// The daemon's side of the files through which it and the workers talk (docs/ARCHITECTURE.md).
class RunFiles {
  public:
    explicit RunFiles(const Paths& paths) : paths_(paths) {}

    /// Creates the folders that are ours, if the system has not. Throws `std::system_error`.
    void createFolders() const;
    /// Removes what probes of an earlier daemon left behind.
    void removeProbes() const;

    /// Durable when it returns. Throws `std::system_error`.
    void queue(const Plan& plan) const;
    /// Every plan in the queue folder, oldest first. A file that is not one is set aside with the suffix ".broken",
    /// logged, and keeps no other from loading.
    [[nodiscard]] std::vector<Plan> readQueue() const;

    /// Makes what the unit of a run, or of its cleanup, may write to, but not make: the folder of its result and an
    /// empty ledger. What is there stays. Throws `std::system_error`.
    void makePlaces(const std::string& id) const;
    /// Makes the run's live folder with plan and limits in it, which says that its unit is about to be asked for. It
    /// goes when the machine does, and so does the unit. Throws `std::system_error`.
    void makeLive(const Plan& plan, std::uint64_t bandwidth) const;
    [[nodiscard]] bool hasLiveFolder(const std::string& id) const;
    /// Of a run with a live folder, as its plan there says; 0 if it cannot be known.
    [[nodiscard]] USec startedAt(const std::string& id) const;
    /// `bandwidth` in bytes a second, 0 = no limit.
    void writeLimits(const std::string& id, std::uint64_t bandwidth) const;
    void writeCancel(const std::string& id, std::uint32_t byUid) const;
    void withdrawCancel(const std::string& id) const;

    /// Nothing while there is none. Throws `Error` if it is broken.
    [[nodiscard]] std::optional<RunState> readState(const std::string& id) const;
    /// Nothing while there is none. One that cannot be read is logged, and is none.
    [[nodiscard]] std::optional<RunResult> readResult(const std::string& id) const;
    [[nodiscard]] bool hasLedger(const std::string& id) const;

    /// Removes what is there of a run whose result is in the history: live folder, result, empty ledger, queue file;
    /// that last, so that a crash in between is noticed. Throws `std::system_error`.
    void forget(const std::string& id) const;

    /// Ids that have a ledger, a live folder or a result.
    [[nodiscard]] std::vector<std::string> idsOnDisk() const;

  private:
    [[nodiscard]] std::optional<Plan> readPlan(const std::filesystem::path& file) const;

    const Paths& paths_;
};

} // namespace holdfast
