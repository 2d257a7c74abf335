#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace holdfast {

/// Splits `total` bytes a second among runs, each of which may have a limit of its own: max-min fair, so that nobody
/// gets more at the cost of one who has less. 0 stands for "no limit", in `total`, in `limits` and in the result.
///
/// The shares' sum is at most `total`, unless that is less than a byte a second for each run.
std::vector<std::uint64_t> splitBandwidth(std::uint64_t total, const std::vector<std::uint64_t>& limits);

/// What is known of one run.
struct BandwidthUse {
    std::uint64_t limit = 0;             ///< of its own; 0: none
    std::optional<std::uint64_t> demand; ///< what it would use; nothing: as much as it gets
};

/// As splitBandwidth(), but a run gets no more than it has use for as long as others have: what an idle run leaves goes
/// to them. It keeps a two-hundredth of the total, so that it can show that it has woken up. What nobody has use for is
/// shared by all.
std::vector<std::uint64_t> shareBandwidth(std::uint64_t total, const std::vector<BandwidthUse>& uses);

} // namespace holdfast
