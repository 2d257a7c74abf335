#pragma once

#include "unit/timers.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace holdfast::test {

/// Timers that elapse when a test says.
class FakeTimers final : public Timers {
  public:
    std::map<std::string, TimerSpec> active; ///< outlives the daemon, as systemd does
    std::map<std::string, USec> next;        ///< by unit
    std::map<std::string, USec> last;        ///< by unit
    std::vector<std::string> log;            ///< "start <unit>", "stop <unit>"
    std::string refused;                     ///< systemd's words for every start
    std::function<void(const std::string& unit)> onStart;

    void signal(const std::string& unit) { handler_(unit); }

    awaitable<std::vector<ActiveTimer>> list(std::string pattern) override {
        co_await sleepFor(std::chrono::milliseconds(1));
        std::vector<ActiveTimer> found;
        for (const auto& [unit, spec] : active) {
            if (pattern == unit || pattern.find('*') != std::string::npos) found.push_back({unit, spec.description});
        }
        co_return found;
    }
    awaitable<void> start(TimerSpec spec) override {
        co_await sleepFor(std::chrono::milliseconds(1));
        if (!refused.empty()) throw Error(refused);
        log.push_back("start " + spec.unit);
        if (onStart) onStart(spec.unit);
        const std::string unit = spec.unit;
        active[unit] = std::move(spec);
    }
    awaitable<void> stop(std::string unit) override {
        co_await sleepFor(std::chrono::milliseconds(1));
        log.push_back("stop " + unit);
        active.erase(unit);
    }
    awaitable<Elapses> elapses(std::string unit) override {
        co_await sleepFor(std::chrono::milliseconds(1));
        if (!active.contains(unit)) throw Error("There is no such timer.");
        Elapses elapses;
        elapses.last = last[unit];
        elapses.next = next[unit];
        co_return elapses;
    }
    void onChange(std::function<void(const std::string& unit)> handler) override { handler_ = std::move(handler); }

  private:
    std::function<void(const std::string& unit)> handler_;
};

} // namespace holdfast::test
