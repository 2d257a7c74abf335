#pragma once

#include "source/zfs_snapshot.hpp"
#include "util/asio.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// What the next run of a job may build on: the snapshot of the last completed run, or a bookmark of it. The record of
/// it lies in Paths::base(), since bookmarks of older ZFS carry no properties; whether it is still what it was is
/// always asked of ZFS (by GUID) and of the destination (by manifest).
struct ZfsBase {
    std::string run;
    ZfsSnapshot snapshot;
    bool bookmarked = false; ///< the snapshot itself is gone
    std::string guid;
    bool raw = false;
    std::uint32_t depth = 0; ///< how many backups a restore needs before this one
    std::string manifest;    ///< "remote:path" of the run's manifest
    USec startedAt = 0;      ///< of the run: a base never makes way for that of an earlier run

    /// As `zfs send -i` takes it.
    [[nodiscard]] std::string full() const { return bookmarked ? snapshot.bookmark() : snapshot.full(); }
};

nlohmann::json toJson(const ZfsBase& base);

/// The recorded base; nothing if there is none. Throws `Error` if the record cannot be understood.
std::optional<ZfsBase> readBase(const std::filesystem::path& record);

/// The ledger's entry of the kind "base": once the run of `startedAt` is committed, `next` is the base of the job, or
/// there is none any more, and `previous` is given back.
nlohmann::json baseEntry(const std::filesystem::path& record, const std::string& dataset, USec startedAt,
                         const std::optional<ZfsBase>& next, const std::optional<ZfsBase>& previous);

/// Does that: marks the snapshots with the user property org.holdfast:base=<job>, records the base, gives back the
/// previous one and whatever else on the dataset is marked for this job. Idempotent: it may be cut off anywhere and
/// done again, even after a later run has handed over. Throws `Error`.
awaitable<void> handOver(nlohmann::json entry, std::string job);

} // namespace holdfast
