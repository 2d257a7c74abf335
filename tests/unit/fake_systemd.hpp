#pragma once

#include "unit/systemd.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace holdfast::test {

/// Units that live for as long as a test says.
class FakeSystemd final : public Systemd {
  public:
    std::set<std::string> live; ///< outlives the daemon, as systemd does
    std::vector<std::string> started;
    std::vector<std::string> stopped;
    std::map<std::string, std::string> refused;           ///< beginning of a unit's name → systemd's words
    std::function<void(const std::string& unit)> onStart; ///< what the unit's process does first
    bool stopEnds = true;                                 ///< whether a stop ends the unit

    void end(const std::string& unit) { live.erase(unit); }

    [[nodiscard]] std::size_t startsOf(const std::string& unit) const {
        return static_cast<std::size_t>(std::count(started.begin(), started.end(), unit));
    }

    awaitable<void> start(std::string unit, UnitProperties) override {
        co_await sleepFor(std::chrono::milliseconds(1));
        for (const auto& [beginning, words] : refused) {
            if (unit.starts_with(beginning)) throw Error(words);
        }
        started.push_back(unit);
        live.insert(unit);
        if (onStart) onStart(unit);
    }
    awaitable<void> stop(std::string unit) override {
        stopped.push_back(unit);
        if (stopEnds) live.erase(unit);
        co_return;
    }
    awaitable<bool> isLive(std::string unit) override { co_return live.contains(unit); }
    awaitable<void> untilGone(std::string unit) override {
        while (live.contains(unit)) co_await sleepFor(std::chrono::milliseconds(1));
    }
};

} // namespace holdfast::test
