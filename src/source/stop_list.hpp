#pragma once

#include "source/engine.hpp"
#include "util/asio.hpp"

#include <vector>

namespace holdfast {

/// Makes of the containers that a run has to stop the whole list of them, in the order in which they are to stop (they
/// start in the opposite one): those that run and share a namespace with one of them go with it, since they would be
/// left in one that is dead; and each stands before those that it needs, otherwise as it stood. Throws `Error` for one
/// that cannot be stopped and started again: it is paused, or belongs to somebody who starts and stops it.
awaitable<std::vector<EngineContainer>> completeStopList(Engine engine, std::vector<EngineContainer> toStop);

/// That order alone.
std::vector<EngineContainer> inOrderOfNeed(std::vector<EngineContainer> containers);

} // namespace holdfast
