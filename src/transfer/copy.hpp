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
};

/// How far rclone is, beside the bytes.
struct CopyCounts {
    std::uint64_t filesDone = 0;
    std::uint64_t filesTotal = 0; ///< 0 while rclone still compares
    std::vector<std::string> inFlight;
};

using TellCounts = std::function<void(const CopyCounts&)>;

/// What rclone left out, or could not keep, and said so: symbolic links, special files.
struct Copied {
    std::vector<std::string> notices;
};

/// Copies until rclone is done. Totals are true as soon as rclone has compared everything; until then `progress` has an
/// estimate. The limiter's rate holds at once whenever it changes (core/bwlimit). Throws `TransferError`; a
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
