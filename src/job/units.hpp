#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <string_view>

/// Quantities in systemd's spelling. All of these throw `Error` that says what may be written.
namespace holdfast {

/// Bytes: "1073741824", "512M", "1.5G"; suffixes B K M G T P E, to the base 1024 (systemd.exec(5)).
std::uint64_t parseSize(std::string_view text);

/// A time span: "90" (seconds), "12h", "1h 30min", "1.5d" (systemd.time(7)).
USec parseTimeSpan(std::string_view text);

/// CPU time in microseconds a second of wall time: "200%" is 2 000 000, "12.5%" is 125 000.
std::uint64_t parseCpuQuota(std::string_view text);

} // namespace holdfast
