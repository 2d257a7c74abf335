#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace holdfast {

/// Processes that are still in the control group of a unit of holdfast-runs.slice that is gone: systemd has sent them
/// SIGKILL, but the kernel could not end them yet (as a rule they wait for a disk or a network file system).
std::vector<pid_t> survivors(const std::string& unit);

} // namespace holdfast
