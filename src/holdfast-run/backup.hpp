#pragma once

#include "reporter.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/asio.hpp"

namespace holdfast {

/// One backup from the plan to the commit point, and the removal of those that it makes superfluous, in the order in
/// which it happens. Everything that must be undone is in
/// the ledger when it throws.
awaitable<void> backUp(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter);

} // namespace holdfast
