#pragma once

#include "reporter.hpp"

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "transfer/backups.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <vector>

namespace holdfast {

using VerifiedBackups = std::vector<const StoredBackup*>;

/// What is looked at, and with what.
struct Verification {
    const Plan& plan;
    const Paths& paths;
    const Rclone& rclone;
    const std::vector<StoredBackup>& backups; ///< all that lie there
    Reporter& reporter;
    RateLimiter& limiter;
};

/// Looks at `wanted`, one after the other; fails as verify() does.
awaitable<void> verifyBackups(Verification all, VerifiedBackups wanted, bool deep);

/// Checks one backup and what it hangs on, or all backups of a job. Fails, when all have been looked at, if one of them
/// could not be restored; says which, and why.
awaitable<void> verify(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter);

} // namespace holdfast
