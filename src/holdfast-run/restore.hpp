#pragma once

#include "reporter.hpp"
#include "restore_copy.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/backups.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/asio.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// A backup with all that it hangs on, the full one first.
using Chain = std::vector<const StoredBackup*>;

/// Looks whether every object is there, prepares the target and receives the chain into it, in as many attempts as the
/// settings allow. It has not arrived then. `what` and `phase` are for people. Throws `Error`, `TransferError`.
awaitable<void> fetchChain(Restore restore, Chain chain, std::string what, std::string phase);

/// One restore from the plan to the commit point, in the order in which it happens; as backUp().
awaitable<void> restore(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter);

} // namespace holdfast
