#pragma once

#include "reporter.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/asio.hpp"

namespace holdfast {

/// Checks one backup and what it hangs on, or all backups of a job. Fails, when all have been looked at, if one of them
/// could not be restored; says which, and why.
awaitable<void> verify(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter);

} // namespace holdfast
