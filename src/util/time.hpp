#pragma once

#include <cstdint>
#include <string>

namespace holdfast {

/// Microseconds since the epoch; 0 = unknown or never. The unit of every time on disk and on the bus.
using USec = std::uint64_t;

constexpr USec usecPerSec = 1'000'000;

USec nowUSec();

/// "20261123T121500Z": sorts by time, needs no quoting anywhere.
std::string utcStamp(USec time);

} // namespace holdfast
