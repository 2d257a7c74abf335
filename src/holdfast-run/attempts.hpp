#pragma once

#include "job/settings.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace holdfast {

/// One try, with its number from 1.
using Step = std::function<awaitable<void>(std::uint32_t number)>;

/// Does `step` until it succeeds, fails with what no second attempt can change, or no attempt is left; waits in between
/// (Settings::retryDelay). `what` names it in the journal.
awaitable<void> attempt(const Settings& settings, std::string what, Step step);

/// As `step`; but what was a SIGKILL out of nowhere is named, where the kernel tells: the memory limit, which no second
/// attempt changes.
awaitable<void> withinMemory(awaitable<void> step);

} // namespace holdfast
