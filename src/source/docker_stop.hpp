#pragma once

#include "run/ledger.hpp"
#include "source/engine.hpp"
#include "util/asio.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// A container that a run has stopped, and will start again.
struct StoppedContainer {
    EngineContainer container; ///< as it was found stopped
    std::uint64_t entry = 0;   ///< of the ledger
    bool killed = false;       ///< it did not end by itself in time
};

/// Stops a container, with an entry of kind "container" in the ledger from before it is told to until whoever starts it
/// releases that. Throws `Error` naming the container if it does not stop or is running again at once.
awaitable<StoppedContainer> stopForRun(Engine engine, EngineContainer container, Ledger& ledger);

enum class Restart {
    Started,
    WasStarted, ///< by somebody else, whether it still runs or not; left as it is
    WasRemoved,
};

/// Starts it. Goes on trying for `patience` while no engine answers: one that is restarted is away for a while.
/// `asked`: the engine was told to before, and may have begun. Throws `Error` naming the container.
awaitable<Restart> startAgain(Engine engine, EngineContainer stopped, std::chrono::microseconds patience, bool asked);

/// Undo: the container runs again if the run has stopped it. One that is gone, that runs, or that somebody has started
/// and stopped since, is left as it is. Throws `Error` naming the container if it does not start.
awaitable<void> undoStop(nlohmann::json entry);

} // namespace holdfast
