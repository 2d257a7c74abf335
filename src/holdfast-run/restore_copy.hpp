#pragma once

#include "reporter.hpp"

#include "run/manifest.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "source/target.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

namespace holdfast {

/// All that the steps of one restore share.
struct Restore {
    const Plan& plan;
    const RestoreTask& task; ///< what the plan says or, of a drill, where its scratch is
    const Paths& paths;
    const Rclone& rclone;
    Target& target;
    Reporter& reporter;
    RateLimiter& limiter;
};

/// Copies the files of a copy back, all or those that the task names, and compares what has come with their list.
/// Throws `Error`, `TransferError`.
awaitable<void> restoreCopy(Restore restore, const Manifest& manifest);

} // namespace holdfast
