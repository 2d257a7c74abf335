#include "bus/run_page.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <tuple>

namespace holdfast {

namespace {

/// The history's order.
bool newer(const RunView& a, const RunView& b) { return std::tie(b.queuedAt, b.id) < std::tie(a.queuedAt, a.id); }

} // namespace

bool matches(const RunView& run, const HistoryFilter& filter) {
    return (!filter.job || run.job == *filter.job) && (!filter.result || run.result == *filter.result) &&
           (!filter.since || run.queuedAt >= *filter.since) && (!filter.until || run.queuedAt <= *filter.until);
}

// An entry's place among all runs is its place in the history plus the live runs that are newer: at most all of them.
HistoryWindow historyWindow(std::uint32_t liveRuns, std::uint32_t limit, std::uint32_t offset) {
    return {limit + liveRuns, offset - std::min(offset, liveRuns)};
}

std::vector<RunView> mergePage(std::vector<RunView> live, std::vector<RunView> window, std::uint32_t limit,
                               std::uint32_t offset) {
    const std::size_t skip = std::min<std::size_t>(offset, live.size());
    std::vector<RunView> runs = std::move(live);
    std::move(window.begin(), window.end(), std::back_inserter(runs));
    std::sort(runs.begin(), runs.end(), newer);
    runs.erase(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(std::min(skip, runs.size())));
    if (runs.size() > limit) runs.erase(runs.begin() + limit, runs.end());
    return runs;
}

} // namespace holdfast
