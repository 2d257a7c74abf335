#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace holdfast {

/// `/etc/holdfast/holdfast.json`. Every key has a default (the seed's), so the file may be absent.
struct Settings {
    std::filesystem::path rcloneConfig = "/etc/holdfast/rclone.conf";
    std::uint32_t maxConcurrentStreaming = 3;
    std::uint32_t maxConcurrentCopies = 3;
    std::uint32_t maxQueuedRuns = 1000;
    std::uint64_t maxTotalBandwidth = 100ULL * 1024 * 1024; ///< bytes a second for all runs together; 0 = no limit
    USec queueTimeout = 300 * usecPerSec;
    std::uint32_t maxAttempts = 3;
    USec retryDelay = 1 * usecPerSec;
    USec retryDelayMax = 30 * usecPerSec;
    USec stallWarning = 30 * usecPerSec;
    USec stallTimeout = 600 * usecPerSec;           ///< without a byte, the attempt fails
    USec killDelay = 10 * usecPerSec;               ///< between SIGTERM and SIGKILL of a child
    USec historyMaxAge = 365 * 86'400 * usecPerSec; ///< how long a finished run is remembered; 0 = for ever
    std::uint32_t historyMaxRuns = 100'000;         ///< how many of them; 0 = no limit
};

/// Reads the settings; an absent file gives the defaults. Throws `Error` that names the key and what it may be.
/// Keys are camelCase as above; durations are seconds as numbers or systemd time spans as strings ("5min").
Settings loadSettings(const std::filesystem::path& path);

} // namespace holdfast
