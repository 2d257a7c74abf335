#pragma once

#include "run/progress.hpp"
#include "transfer/file_list.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// Files that are copied as they are, by `rclone copy`. It never deletes at the destination.
struct CopySpec {
    std::string from;                 ///< a file or folder: a local path or "remote:path"
    std::string to;                   ///< a folder: likewise
    std::vector<std::string> options; ///< copyFlags()
    USec stallTimeout = 0;            ///< without anything happening for so long the attempt fails
    USec killDelay = 0;               ///< between SIGTERM and SIGKILL
    bool asItIs = false; ///< a file that changes meanwhile is copied as far as it went when it was looked at
};

/// How far rclone is, beside the bytes.
struct CopyCounts {
    std::uint64_t filesDone = 0;
    std::uint64_t filesTotal = 0; ///< 0 while rclone still compares
    std::vector<std::string> inFlight;
};

using TellCounts = std::function<void(const CopyCounts&)>;

/// Files have changed while they were copied. The next attempt may find them at rest, or take them as they are.
class ChangedMeanwhile : public TransferError {
  public:
    ChangedMeanwhile(const std::string& message, std::vector<std::string> files)
        : TransferError(message, true), files_(std::move(files)) {}
    [[nodiscard]] const std::vector<std::string>& files() const { return files_; }

  private:
    std::vector<std::string> files_;
};

/// By what a copy tells that a file lies at the destination already.
struct Comparison {
    std::vector<std::string> options; ///< copyFlags() that make it so
    std::string by;                   ///< with the size: "time", "hash"; "size": it alone; "nothing": all is sent
};

/// By something that changes when the content does, as far as the remote keeps any and the job does not want it
/// otherwise ("size-only").
Comparison comparisonFor(const nlohmann::json& rcloneOptions, const RemoteFeatures& features);

/// What rclone left out, or could not keep, and said so: symbolic links, special files.
struct Copied {
    std::vector<std::string> notices;
};

/// Copies until rclone is done. Totals are true as soon as rclone has compared everything; until then `progress` has an
/// estimate. The limiter's rate holds at once whenever it changes (core/bwlimit). Throws `TransferError`,
/// `ChangedMeanwhile` if it is that and nothing else; a
/// cancellation passes through after rclone has ended. Files that were copied until then stay.
awaitable<Copied> copyFiles(const Rclone& rclone, CopySpec spec, Progress& progress, const RateLimiter& limiter,
                            TellCounts tell);

/// A job's `rcloneOptions`, which the schema has checked, as flags.
std::vector<std::string> copyFlags(const nlohmann::json& rcloneOptions);

/// Of those, the ones that decide which files there are in a source.
std::vector<std::string> listFlags(const nlohmann::json& rcloneOptions);

/// The names of those that are switched on and that the way back needs too.
std::vector<std::string> flagsToRestoreWith(const nlohmann::json& rcloneOptions);

/// And those that decide what a symbolic link is, at the destination too.
std::vector<std::string> linkFlags(const nlohmann::json& rcloneOptions);

} // namespace holdfast
