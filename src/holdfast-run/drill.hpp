#pragma once

#include "reporter.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/asio.hpp"

namespace holdfast {

/// Restores the newest backup of the plan's job, with all that it hangs on, to scratch, and compares what can be
/// compared. What it has restored is in the ledger and goes when the run is settled, however it ends: a drill has no
/// commit point.
awaitable<void> drill(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter);

} // namespace holdfast
