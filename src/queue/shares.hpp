#pragma once

#include <cstdint>
#include <vector>

namespace holdfast {

/// Splits `total` bytes a second among runs, each of which may have a limit of its own: max-min fair, so that nobody
/// gets more at the cost of one who has less. 0 stands for "no limit", in `total`, in `limits` and in the result.
///
/// The shares' sum is at most `total`, unless that is less than a byte a second for each run.
std::vector<std::uint64_t> splitBandwidth(std::uint64_t total, const std::vector<std::uint64_t>& limits);

} // namespace holdfast
