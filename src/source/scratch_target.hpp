#pragma once

#include "run/paths.hpp"
#include "run/plan.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <string>

namespace holdfast {

/// Where a drill restores to: a dataset in the pool of the job, or a folder in the run's own. Nothing ever gets the
/// target's name, only that beside it which carries the run's id.
RestoreTask scratchFor(const Plan& plan, const Paths& paths);

/// Room that is free there.
struct Room {
    std::string place; ///< for people
    std::uint64_t bytes = 0;
};
awaitable<Room> roomFor(const Plan& plan, const Paths& paths);

/// Throws `Error` if `size` bytes are more than `maxSize` (0: no limit) or than nine tenths of the room.
void demandRoom(std::uint64_t size, const Room& room, std::uint64_t maxSize);

} // namespace holdfast
