#pragma once

#include "run/progress.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"
#include "util/child.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace holdfast {

/// What went through a pipe.
struct Flow {
    std::uint64_t inSize = 0; ///< from the producer
    std::string inSha256{};
    std::uint64_t outSize = 0; ///< to the consumer
    std::string outSha256{};
    std::string outHash{}; ///< of the kind that was asked for
};

/// Producer → counter, hash, zstd, rate limit → consumer.
struct PipeSpec {
    /// What becomes of a program's failure; the text is the end of what it wrote to standard error.
    using Failure = std::function<TransferError(const ExitStatus&, const std::string&)>;

    ChildSpec producer;
    std::optional<ChildSpec> consumer{}; ///< without one, all is only counted and hashed
    std::optional<int> compressionLevel{};
    bool decompress = false;
    bool limitInput = false;  ///< the limit is for what comes in; else for what goes out
    bool mayEndEarly = false; ///< the consumer may be satisfied before the end: the rest is only counted and hashed
    std::string outHash{};    ///< "md5" or "sha1", to be computed beside SHA-256
    USec stallTimeout = 0;    ///< without a byte for so long it fails
    USec killDelay = 0;       ///< between SIGTERM and SIGKILL
    Failure producerFailed;   ///< not asked for a producer that exits 0
    Failure consumerFailed;   ///< nor for a consumer that does
    /// Waited for once the producer runs, whose first bytes stay in its pipe meanwhile. May change how the consumer is
    /// fed, or throw.
    std::function<awaitable<void>(PipeSpec&)> beforeConsumer{};
    /// Throws unless the consumer may take what it has for the whole.
    std::function<void(const Flow&)> gate;
};

/// The gate: programs take the end of their input for success, so the consumer's input stays open until the producer
/// has exited 0 and `gate` has let the flow pass. In every other case both programs are ended with it still open (TERM,
/// then KILL). Throws `TransferError`; a cancellation passes through after both programs have ended.
awaitable<Flow> runPipe(PipeSpec spec, Progress& progress, RateLimiter& limiter);

} // namespace holdfast
