#pragma once

#include "run/paths.hpp"
#include "util/asio.hpp"

#include <string>

namespace holdfast {

/// `holdfast-run --probe ID`: answers one question of the daemon's about programs and files, which the daemon itself
/// may not touch. Reads request.json in the probe's folder, writes answer.json beside it. Returns the exit status.
awaitable<int> probe(const Paths& paths, std::string id);

} // namespace holdfast
