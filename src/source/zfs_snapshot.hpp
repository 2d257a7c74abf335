#pragma once

#include "util/asio.hpp"

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// A snapshot that a run makes, of one dataset or also of all below it.
struct ZfsSnapshot {
    std::string dataset;
    std::string name; ///< what comes after the '@'
    bool recursive = false;

    /// "tank/data@nightly-…".
    [[nodiscard]] std::string full() const { return dataset + "@" + name; }
    /// "tank/data#nightly-…": a bookmark of it.
    [[nodiscard]] std::string bookmark() const { return dataset + "#" + name; }
};

/// "holdfast-<first 8 of the id>": the tag of the run's holds.
std::string holdTag(const std::string& runId);

/// The ledger entry of the kinds "snapshot" and "hold".
nlohmann::json snapshotEntry(const ZfsSnapshot& snapshot);

/// Makes it, with the user property org.holdfast:run in the same step. Throws `Error`.
awaitable<void> makeSnapshot(ZfsSnapshot snapshot, std::string runId);

/// Holds it, so that nobody destroys it while it is read. Throws `Error`.
awaitable<void> holdSnapshot(ZfsSnapshot snapshot, std::string runId);

/// Of the snapshots that `snapshot` means, those that are there and that the run made: they carry its id as a property
/// of their own, neither inherited nor received. Throws `Error` if zfs cannot tell, as when the pool is not imported.
awaitable<std::vector<std::string>> snapshotsOfRun(ZfsSnapshot snapshot, std::string runId);

/// Makes a bookmark of the snapshot, with the snapshot's name. Throws `Error`.
awaitable<void> makeBookmark(ZfsSnapshot snapshot);

/// The ledger entry of the kind "bookmark"; `guid` is the snapshot's, which its bookmark shares.
nlohmann::json bookmarkEntry(const ZfsSnapshot& snapshot, const std::string& guid);

/// Destroys a snapshot; one that is not there is fine, one that somebody else holds or has cloned goes when they are
/// done. Throws `Error`.
awaitable<void> destroySnapshot(std::string snapshot);

/// Undo. What is not there is fine, what is not the run's stays. Throw `Error` if something of ours is left.
awaitable<void> undoSnapshot(nlohmann::json entry, std::string runId);
awaitable<void> undoHold(nlohmann::json entry, std::string runId);
awaitable<void> undoBookmark(nlohmann::json entry);

} // namespace holdfast
