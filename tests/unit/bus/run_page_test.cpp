#include "bus/run_page.hpp"

#include <algorithm>
#include <random>
#include <tuple>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

RunView run(const std::string& id, USec queuedAt, const std::string& result = "") {
    RunView view;
    view.id = id;
    view.job = "tank";
    view.queuedAt = queuedAt;
    view.result = result;
    return view;
}

std::vector<std::string> ids(const std::vector<RunView>& runs) {
    std::vector<std::string> list;
    for (const auto& r : runs) list.push_back(r.id);
    return list;
}

TEST(MergePage, InterleavesByAge) {
    const auto page =
        mergePage({run("live-old", 10), run("live-new", 40)}, {run("b", 30, "done"), run("a", 20, "done")}, 10, 0);
    EXPECT_EQ(ids(page), (std::vector<std::string>{"live-new", "b", "a", "live-old"}));
}

/// Every page, wherever it begins and however live runs and history mix, is that slice of the whole list.
TEST(MergePage, EveryPageIsASliceOfTheWhole) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<RunView> live;
        std::vector<RunView> history;
        const std::size_t count = random() % 12;
        for (std::size_t i = 0; i < count; ++i) {
            auto& target = random() % 3 == 0 ? live : history;
            target.push_back(run(std::to_string(i), random() % 6));
        }
        const auto order = [](const RunView& a, const RunView& b) {
            return std::tie(b.queuedAt, b.id) < std::tie(a.queuedAt, a.id);
        };
        std::sort(history.begin(), history.end(), order);
        std::vector<RunView> whole = live;
        whole.insert(whole.end(), history.begin(), history.end());
        std::sort(whole.begin(), whole.end(), order);

        for (std::uint32_t offset = 0; offset < 14; ++offset) {
            for (std::uint32_t limit = 1; limit < 5; ++limit) {
                const auto window = historyWindow(static_cast<std::uint32_t>(live.size()), limit, offset);
                std::vector<RunView> part;
                for (std::size_t i = window.offset; i < history.size() && part.size() < window.limit; ++i) {
                    part.push_back(history[i]);
                }
                std::vector<RunView> expected;
                for (std::size_t i = offset; i < whole.size() && expected.size() < limit; ++i)
                    expected.push_back(whole[i]);
                EXPECT_EQ(ids(mergePage(live, part, limit, offset)), ids(expected)) << offset << "+" << limit;
            }
        }
    }
}

TEST(Matches, EveryKeyOfTheFilter) {
    const RunView view = run("a", 100, "failed");
    const auto with = [&](auto set) {
        HistoryFilter filter;
        set(filter);
        return matches(view, filter);
    };
    EXPECT_TRUE(with([](HistoryFilter&) {}));
    EXPECT_TRUE(with([](HistoryFilter& f) { f.job = "tank"; }));
    EXPECT_FALSE(with([](HistoryFilter& f) { f.job = "other"; }));
    EXPECT_TRUE(with([](HistoryFilter& f) { f.result = "failed"; }));
    EXPECT_FALSE(with([](HistoryFilter& f) { f.result = "done"; }));
    EXPECT_TRUE(with([](HistoryFilter& f) { f.since = 100; }));
    EXPECT_FALSE(with([](HistoryFilter& f) { f.since = 101; }));
    EXPECT_TRUE(with([](HistoryFilter& f) { f.until = 100; }));
    EXPECT_FALSE(with([](HistoryFilter& f) { f.until = 99; }));
}

} // namespace
} // namespace holdfast
