#pragma once

#include "run/paths.hpp"
#include "util/asio.hpp"

#include <string>

namespace holdfast {

/// `holdfast-run ID`: does the planned run and settles it. When told to stop (SIGTERM) it ends its programs in order
/// and leaves the settling to the unit's ExecStopPost, which alone knows why. Returns the exit status.
awaitable<int> work(const Paths& paths, std::string id);

/// `holdfast-run --cleanup ID`: settles a run whose worker could not; does nothing for one that is settled.
awaitable<int> cleanUp(const Paths& paths, std::string id);

} // namespace holdfast
