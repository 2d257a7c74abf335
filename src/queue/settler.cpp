#include "queue/settler.hpp"

#include "run/ledger.hpp"
#include "unit/survivors.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/format.hpp"
#include "util/log.hpp"

#include <exception>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

namespace {

USec toUSec(std::chrono::milliseconds time) { return static_cast<USec>(std::chrono::microseconds(time).count()); }

} // namespace

awaitable<std::optional<RunResult>> Settler::settle(std::string id, const Plan* plan, Report report) {
    BackOff backOff = backOff_;
    auto result = files_.readResult(id);
    while (!result) {
        const std::string failure = co_await cleanUp(id, plan);
        result = files_.readResult(id);
        if (result || !files_.hasLedger(id)) break;
        co_await pause(id, failure, backOff, report);
    }
    co_return result;
}

awaitable<void> Settler::giveBack(std::string id, const Plan* plan, Report report) {
    BackOff backOff = backOff_;
    while (files_.hasLedger(id)) {
        const std::string failure = co_await cleanUp(id, plan);
        if (!files_.hasLedger(id)) break;
        co_await pause(id, failure, backOff, report);
    }
}

/// One cleanup unit, from start to end. Returns why it could not be had; empty if it ran, with whatever success.
awaitable<std::string> Settler::cleanUp(std::string id, const Plan* plan) {
    try {
        auto run = "holdfast-run-" + id + ".service";
        const auto pids = co_await survivors(std::move(run));
        if (!pids.empty()) {
            throw Error(fmt::format("processes of the run could not be ended: {}.", fmt::join(pids, ", ")));
        }
        const std::string unit = "holdfast-cleanup-" + id + ".service";
        // One that an earlier daemon has started, perhaps.
        const bool running = co_await systemd_.isLive(unit);
        if (!running) co_await systemd_.start(unit, propertiesOf(id, plan));
        co_await systemd_.untilGone(unit);
        co_return "";
    } catch (const std::exception& e) {
        logWarning(fmt::format("Run {} could not be looked after: {}", id, e.what()));
        co_return e.what();
    }
}

UnitProperties Settler::propertiesOf(const std::string& id, const Plan* plan) const {
    files_.makePlaces(id); // the unit may write there, but not make them
    if (plan != nullptr) return cleanupUnitProperties(*plan, paths_);
    return cleanupUnitProperties(Ledger::open(paths_.ledger(id)).header(), paths_);
}

awaitable<void> Settler::pause(std::string id, std::string failure, BackOff& backOff, const Report& report) {
    if (failure.empty()) {
        failure = fmt::format("something of the run is left behind; \"journalctl HOLDFAST_RUN={}\" says what.", id);
    }
    const auto time = backOff.next();
    report(fmt::format("Cleaning up has not succeeded yet (next try in {}): {}", formatSpan(toUSec(time)), failure));
    co_await sleepFor(time);
}

} // namespace holdfast
