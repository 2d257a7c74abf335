#pragma once

#include <cstdint>
#include <optional>

namespace holdfast {

/// How many processes of our own cgroup the kernel has killed for want of memory; nothing if that cannot be told.
/// systemd does not tell on cgroup v1, where such a kill looks like any SIGKILL. v1: memory.oom_control; v2:
/// memory.events (cgroups(7)).
std::optional<std::uint64_t> oomKills();

} // namespace holdfast
