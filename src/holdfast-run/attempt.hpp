#pragma once

#include "job/settings.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace holdfast {

/// Does `step` until it succeeds, fails for good, or no attempt is left. It is told the attempt's number, from 1; only
/// a `TransferError` that says so is worth another.
awaitable<void> attempt(const Settings& settings, std::string what, std::function<awaitable<void>(std::uint32_t)> step);

} // namespace holdfast
