#pragma once

#include "run/ledger.hpp"
#include "run/manifest.hpp"
#include "run/task.hpp"
#include "util/asio.hpp"

#include <memory>
#include <string>
#include <vector>

namespace holdfast {

/// Where a backup is restored to. Everything is made beside the target, under a name that carries the run's id, and
/// gets the target's name only when it is whole. The calls come in this order, on the program's one thread.
class Target {
  public:
    virtual ~Target() = default;

    /// Refuses what cannot work, before anything is fetched. Throws `Error`.
    virtual awaitable<void> prepare() = 0;

    /// Makes an empty place beside the target; once for each attempt.
    virtual awaitable<void> beginAttempt() = 0;

    /// What grows beside the target: a folder, or a dataset. As the programs know it that get descriptors().
    [[nodiscard]] virtual std::string place() const = 0;

    /// The same for people.
    [[nodiscard]] virtual std::string shownPlace() const { return place(); }

    /// What the programs must inherit that read or write place().
    [[nodiscard]] virtual std::vector<int> descriptors() const { return {}; }

    /// The program that takes this backup's stream from its standard input; once for each of a chain, the full one
    /// first.
    [[nodiscard]] virtual std::vector<std::string> consumer(const Manifest& manifest) const = 0;

    /// Looks whether what has come is what the manifest tells of. Throws `Error`.
    virtual awaitable<void> received(const Manifest& manifest) = 0;

    /// All is whole: gives it the target's name; what had that name before is set aside. The restore's commit point.
    virtual awaitable<void> arrive() = 0;

    /// For people: what was restored, and what to do next.
    [[nodiscard]] virtual nlohmann::json metadata() const = 0;
};

/// The target that a restore by this run asks for, of a backup with this manifest. `task` and `ledger` must outlive it.
std::unique_ptr<Target> makeTarget(const RestoreTask& task, const std::string& runId, const Manifest& manifest,
                                   Ledger& ledger);

/// Whether the restore has arrived: the run is then done, whatever died after. Throws `Error` if that cannot be told.
awaitable<bool> arrived(const Ledger& ledger);

/// What a target wrote to the ledger; as undoSourceEntry().
awaitable<bool> undoTargetEntry(const LedgerEntry& entry, const LedgerHeader& header);

} // namespace holdfast
