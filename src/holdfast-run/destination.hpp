#pragma once

#include "warnings.hpp"

#include "run/plan.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// What a backup finds where it will lie.
struct Destination {
    RemoteFeatures features{};
    std::uint32_t depth = 0; ///< mountDepth() of a local one; 0 of others
    std::vector<Warning> warnings{};
};

/// Looks before anything is changed there. Throws `Error` if nothing of this job may be put there: the remote takes no
/// streams, there is no such bucket, the folder is another job's or another machine's mirror, or its file system is not
/// mounted; `TransferError` if the remote does not answer.
awaitable<Destination> lookAtDestination(Rclone rclone, Plan plan);

/// Another job's mirror may have begun in the same folder at the same time: looked at again before the manifest vouches
/// for what lies there. Throws `Error`, `TransferError`.
awaitable<void> demandNoOthersMirror(const Rclone& rclone, const Plan& plan);

/// Sentences of what may be told before the first run, too (live_rules.cpp).
std::string noStreamsTo(const std::string& remote);
std::string noBucketIn(const std::string& remote);
/// `folder`: "remote:bucket/path".
std::string noSuchBucket(const std::string& folder);

/// How many names the path of the file system's root has on which `path` lies, or will lie: "/" 0, "/mnt/usb" 2. It
/// becomes less when something is not mounted that was.
std::uint32_t mountDepth(const std::filesystem::path& path);

} // namespace holdfast
