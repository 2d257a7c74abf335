#pragma once

#include "util/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

/// Numbers as people read them: the same spelling on the command line, in the unit's status and in the journal.
namespace holdfast {

/// "512 B", "1.2 GiB", "110 MiB": binary units, three significant digits at most before the unit changes.
std::string formatBytes(std::uint64_t bytes);

/// "110 MiB/s".
std::string formatRate(std::uint64_t bytesPerSecond);

/// "250ms", "45s", "3min 20s", "2h 5min", "3d 4h": the two largest units, in systemd's spelling.
std::string formatSpan(USec span);

/// "2026-11-23 13:15:00" in the local time zone; "-" for 0 (unknown or never).
std::string formatLocalTime(USec time);
/// The same in eleven columns at most: "11-23 13:15" in the year of `now`, else "2025-11-23".
std::string formatShortTime(USec time, USec now);

/// A bar of `width` columns, "[=====>    ]"; `fraction` is held to 0…1. Empty when `width` has no room for one.
std::string formatBar(double fraction, std::size_t width);

} // namespace holdfast
