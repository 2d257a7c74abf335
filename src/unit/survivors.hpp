#pragma once

#include "util/asio.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace holdfast {

/// Processes that are still in the control group of a unit of holdfast-runs.slice that is gone: systemd has sent them
/// SIGKILL, but the kernel does not end them (as a rule they wait for a disk or a network file system). As the end of a
/// process takes its time on a busy machine, waits up to 5 s until there are none.
awaitable<std::vector<pid_t>> survivors(std::string unit);

} // namespace holdfast
