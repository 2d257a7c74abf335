#pragma once

#include "destination.hpp"
#include "reporter.hpp"
#include "warnings.hpp"

#include "run/ledger.hpp"
#include "run/manifest.hpp"
#include "run/plan.hpp"
#include "source/source.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"
#include "util/question.hpp"

namespace holdfast {

/// All that the steps of one backup share.
struct Backup {
    const Plan& plan;
    const Rclone& rclone;
    Question<Destination>& destination;
    Source& source;
    Ledger& ledger;
    Reporter& reporter;
    RateLimiter& limiter;
    Warnings& warnings;
};

/// Bring what a prepared source has to the destination, tell it when it has been read, and check what lies there. Fill
/// in what the manifest says of it. Throw `Error`, `TransferError`.
awaitable<void> uploadStream(Backup backup, Manifest& manifest);
awaitable<void> uploadCopy(Backup backup, Manifest& manifest);

} // namespace holdfast
