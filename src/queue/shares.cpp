#include "queue/shares.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace holdfast {

std::vector<std::uint64_t> splitBandwidth(std::uint64_t total, const std::vector<std::uint64_t>& limits) {
    if (total == 0) return limits;

    // Those that want least are served first; what they leave is shared by the rest.
    std::vector<std::size_t> order(limits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto wanted = [&](std::size_t run) { return limits[run] == 0 ? UINT64_MAX : limits[run]; };
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return wanted(a) < wanted(b); });

    std::vector<std::uint64_t> shares(limits.size());
    std::uint64_t left = total;
    for (std::size_t served = 0; served < order.size(); ++served) {
        const std::uint64_t fair = left / (order.size() - served);
        const std::uint64_t share = std::min(fair, wanted(order[served]));
        left -= share;
        shares[order[served]] = std::max<std::uint64_t>(share, 1); // 0 would be no limit at all
    }
    return shares;
}

} // namespace holdfast
