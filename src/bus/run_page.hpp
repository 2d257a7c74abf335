#pragma once

#include "bus/views.hpp"
#include "history/history.hpp"

#include <cstdint>
#include <vector>

namespace holdfast {

/// Whether a run passes the filter, as the history judges it.
bool matches(const RunView& run, const HistoryFilter& filter);

/// The part of the history that a page of live runs and history together, newest first, may draw from.
struct HistoryWindow {
    std::uint32_t limit;
    std::uint32_t offset;
};
HistoryWindow historyWindow(std::uint32_t liveRuns, std::uint32_t limit, std::uint32_t offset);

/// That page, from all live runs and the entries in historyWindow(). Pure.
std::vector<RunView> mergePage(std::vector<RunView> live, std::vector<RunView> window, std::uint32_t limit,
                               std::uint32_t offset);

} // namespace holdfast
