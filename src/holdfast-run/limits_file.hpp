#pragma once

#include "run/paths.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/asio.hpp"

#include <string>

namespace holdfast {

/// Applies limits.json, the run's share of the bandwidth, now and whenever the daemon replaces it, until cancelled.
awaitable<void> followLimits(const Paths& paths, std::string id, RateLimiter& limiter);

} // namespace holdfast
