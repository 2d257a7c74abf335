#pragma once

#include "run/ledger.hpp"
#include "source/docker_stop.hpp"
#include "source/engine.hpp"
#include "util/asio.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace holdfast {

/// The containers that a run has stopped, until it starts them again in the opposite order.
class DockerPause {
  public:
    explicit DockerPause(Ledger& ledger) : ledger_(ledger) {}

    /// As stopForRun().
    awaitable<void> stop(Engine engine, EngineContainer container);

    /// Starts all. One that does not start keeps no other from it, and is tried once more when all have been: it may
    /// have waited for one of them. If it still does not, it stays in the ledger; all failures are then in the `Error`.
    awaitable<void> startAll(Engine engine);

    /// That somebody has started a container meanwhile, seen by whoever looked.
    void noteDisturber(const std::string& name);

    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }     ///< in the order of stopping
    [[nodiscard]] const std::vector<std::string>& killed() const { return killed_; }   ///< did not end in time
    [[nodiscard]] const std::vector<std::string>& removed() const { return removed_; } ///< while they were stopped
    [[nodiscard]] const std::vector<std::string>& disturbers() const { return disturbers_; }

  private:
    awaitable<void> startOne(Engine engine, StoppedContainer stopped, std::chrono::microseconds patience, bool again);

    Ledger& ledger_;
    std::vector<StoppedContainer> stopped_;
    std::vector<std::string> names_;
    std::vector<std::string> killed_;
    std::vector<std::string> removed_;
    std::vector<std::string> disturbers_;
};

} // namespace holdfast
