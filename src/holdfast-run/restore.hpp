#pragma once

#include "reporter.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/asio.hpp"

namespace holdfast {

/// One restore from the plan to the commit point, in the order in which it happens; as backUp().
awaitable<void> restore(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter);

} // namespace holdfast
