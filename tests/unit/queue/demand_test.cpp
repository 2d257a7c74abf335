#include "queue/demand.hpp"

#include "queue/shares.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

using Clock = Demand::Clock;

/// Runs that share a budget as the dispatcher has them: reports every 500 ms, shares every 250 ms.
class Simulation {
  public:
    struct Source {
        std::uint64_t able = UINT64_MAX; ///< bytes a second that it could deliver
        Demand demand{};
        std::uint64_t share = 0;
        double done = 0;
        double used = 0; ///< a second, in the last step
        std::uint64_t reported = UINT64_MAX;
        std::deque<std::pair<Clock::time_point, std::uint64_t>> underWay{}; ///< reports: when they come in, bytes
    };

    /// Reports come in up to `latest` late, as on a machine that has much to do.
    Simulation(std::uint64_t total, std::size_t runs, std::chrono::milliseconds latest = 0ms)
        : total_(total), runs_(runs), latest_(latest) {
        shareOut();
    }

    Source& operator[](std::size_t run) { return runs_[run]; }
    [[nodiscard]] double sum() const {
        double sum = 0;
        for (const auto& run : runs_) sum += run.used;
        return sum;
    }
    void pass(
        std::chrono::milliseconds time, const std::function<void()>& each = [] {}) {
        for (const auto end = now_ + time; now_ < end;) {
            step();
            each();
        }
    }

  private:
    void step() {
        now_ += 50ms;
        ++steps_;
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            Source& run = runs_[i];
            run.used = static_cast<double>(std::min(run.share, run.able));
            run.done += run.used * 0.05;
            const auto done = static_cast<std::uint64_t>(run.done);
            if ((steps_ + 3 * i) % 10 == 0 && done != run.reported) {
                run.reported = done;
                run.underWay.emplace_back(now_ + latest_ * static_cast<int>(random_() % 5) / 4, done);
            }
            while (!run.underWay.empty() && run.underWay.front().first <= now_) {
                run.demand.uploading(now_, run.underWay.front().second);
                run.underWay.pop_front();
            }
        }
        if (steps_ % 5 == 0) shareOut();
    }
    void shareOut() {
        std::vector<BandwidthUse> uses;
        for (auto& run : runs_) uses.push_back({0, run.demand.estimate(now_)});
        const auto shares = shareBandwidth(total_, uses);
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            if (std::exchange(runs_[i].share, shares[i]) != shares[i]) runs_[i].demand.shared(now_, shares[i]);
        }
    }

    std::uint64_t total_;
    std::vector<Source> runs_;
    std::chrono::milliseconds latest_;
    std::minstd_rand random_;
    Clock::time_point now_{1h};
    int steps_ = 0;
};

constexpr std::uint64_t budget = 100'000'000;

} // namespace

TEST(Demand, ARunThatDoesNotUploadNeedsNothing) {
    Demand demand;
    const Clock::time_point now{1h};
    EXPECT_EQ(demand.estimate(now), 0U);
    demand.uploading(now, 0);
    EXPECT_EQ(demand.estimate(now), std::nullopt);
    demand.notUploading();
    EXPECT_EQ(demand.estimate(now), 0U);
}

TEST(Demand, HungryRunsKeepEqualShares) {
    Simulation runs(budget, 3);
    runs.pass(3s);
    runs.pass(10s, [&] { EXPECT_NEAR(runs.sum(), budget, budget * 0.05); });
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(runs[i].used, budget / 3.0, budget * 0.02);
}

TEST(Demand, ReportsThatComeLateTakeNothingFromAHungryRun) {
    Simulation runs(budget, 2, 200ms);
    runs.pass(3s);
    runs.pass(60s, [&] {
        EXPECT_NEAR(runs.sum(), budget, budget * 0.05);
        EXPECT_NEAR(runs[0].used, budget / 2.0, budget * 0.05);
    });
}

TEST(Demand, ARunIsSeenToWakeUpThoughReportsComeLate) {
    Simulation runs(budget, 2, 200ms);
    runs.pass(3s);
    for (int i = 0; i < 20; ++i) {
        runs[0].able = 0;
        runs.pass(std::chrono::milliseconds(4000 + 50 * i));
        EXPECT_GT(runs[1].used, budget * 0.95);
        runs[0].able = UINT64_MAX;
        runs.pass(1500ms);
        EXPECT_NEAR(runs[0].used, budget * 0.5, budget * 0.05);
        runs.pass(4s, [&] { EXPECT_NEAR(runs[0].used, budget * 0.5, budget * 0.05); });
    }
}

TEST(Demand, AnIdleRunsShareGoesToTheOthersWithinTwoSecondsAndComesBack) {
    Simulation runs(budget, 2);
    runs.pass(3s);
    runs[0].able = 0;
    runs.pass(2s);
    EXPECT_GT(runs[1].used, budget * 0.95);
    runs.pass(10s, [&] { EXPECT_NEAR(runs.sum(), budget, budget * 0.05); });
    runs[0].able = UINT64_MAX;
    runs.pass(2s);
    EXPECT_NEAR(runs[0].used, budget * 0.5, budget * 0.05);
    runs.pass(10s, [&] { EXPECT_NEAR(runs.sum(), budget, budget * 0.05); });
    EXPECT_NEAR(runs[0].used, budget * 0.5, budget * 0.05);
}

TEST(Demand, ASlowRunKeepsWhatItUses) {
    Simulation runs(budget, 3);
    runs[0].able = budget / 5;
    runs.pass(6s);
    runs.pass(10s, [&] {
        EXPECT_NEAR(runs.sum(), budget, budget * 0.05);
        EXPECT_NEAR(runs[0].used, budget * 0.2, budget * 0.03);
    });
    EXPECT_NEAR(runs[1].used, budget * 0.39, budget * 0.03);
}

TEST(Demand, RunsThatAreAllSlowHoldNobodyBack) {
    Simulation runs(budget, 2);
    runs[0].able = budget / 10;
    runs[1].able = budget / 4;
    runs.pass(5s);
    runs.pass(10s, [&] { EXPECT_NEAR(runs.sum(), budget * 0.35, budget * 0.02); });
    runs[1].able = UINT64_MAX;
    runs.pass(2s);
    EXPECT_GT(runs[1].used, budget * 0.8);
}

TEST(Demand, AnAttemptThatBeginsAnewIsNotTakenForIdle) {
    Demand demand;
    Clock::time_point now{1h};
    demand.shared(now, 1000);
    for (std::uint64_t done = 0; done < 5000; done += 500, now += 500ms) demand.uploading(now, done);
    EXPECT_EQ(demand.estimate(now), std::nullopt);
    demand.uploading(now, 0);
    EXPECT_EQ(demand.estimate(now + 1s), std::nullopt);
    EXPECT_EQ(demand.estimate(now + 2s), 0U);
}
