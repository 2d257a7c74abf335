#pragma once

#include "run/manifest.hpp"
#include "run/progress.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// One stream into one object.
struct StreamSpec {
    std::vector<std::string> producer; ///< argv; its standard output is the stream
    std::string object;                ///< "remote:path"
    std::uint64_t estimate = 0;        ///< bytes; 0 = unknown. Chooses part sizes only, never passed as a size
    std::optional<int> compressionLevel{};
    std::vector<int> keep{}; ///< descriptors that the producer gets under the same number
    std::string remoteHash;  ///< what the remote can be asked for afterwards (chooseHash()); may be empty
    /// Waited for once the producer runs: what is not known yet about the remote. May change `remoteHash`, or throw.
    std::function<awaitable<void>(StreamSpec&)> beforeSending{};
    USec stallTimeout = 0; ///< without a byte for so long the attempt fails
    USec killDelay = 0;    ///< between SIGTERM and SIGKILL
};

/// What went through the pipe.
struct Sent {
    std::uint64_t streamSize = 0;
    std::string streamSha256{};
    std::uint64_t objectSize = 0;
    std::string objectSha256{};
    std::string remoteHash{}; ///< of the object, of the kind that was asked for
};

/// Producer → counter, hash, zstd, rate limit → `rclone rcat`.
///
/// The commit gate: rcat takes the end of its input for success, so its input stays open until the producer has exited
/// 0. In every other case rclone is ended with its input still open (TERM, so that it may abort a multipart; then KILL)
/// and the caller removes what lies at the destination. Throws `TransferError`; a cancellation passes through after
/// both programs have ended.
awaitable<Sent> sendStream(const Rclone& rclone, StreamSpec spec, Progress& progress, RateLimiter& limiter);

/// One object back into a stream.
struct ReceiveSpec {
    std::string object; ///< "remote:path"
    Manifest::Object wanted;
    Manifest::Stream stream;
    std::vector<std::string> consumer; ///< argv; reads the stream from standard input. Empty: it is only checked
    std::vector<int> keep{};           ///< descriptors that the consumer needs
    /// The consumer's last words as a person understands them; else as they are.
    std::function<std::string(const std::string&)> explain{};
    USec stallTimeout = 0;
    USec killDelay = 0;
};

/// `rclone cat` → counter, hash, zstd, rate limit → consumer: sendStream() the other way round, with the same gate. The
/// consumer's input stays open until size and SHA-256 of object and stream are as the manifest says; if they are not,
/// it is ended, and what it made is for the caller to remove. Throws `TransferError`.
awaitable<void> receiveStream(const Rclone& rclone, ReceiveSpec spec, Progress& progress, RateLimiter& limiter);

/// Checks size and hash at the destination against what was sent: a local disk is read back, another remote is asked
/// for the hash that it keeps. Throws `TransferError`.
awaitable<void> verifyObject(const Rclone& rclone, std::string object, RemoteFeatures features, Sent sent);

/// Checks that an object is there with the size that its manifest tells of and, if `hash` is not empty, that the remote
/// still has the same hash of it. Throws `TransferError`.
awaitable<void> checkObject(const Rclone& rclone, std::string object, Manifest::Object wanted, std::string hash);

/// The hash to compute in the pipe and compare at the destination: SHA-256 if the remote has it (it is computed
/// anyway), else MD5, else SHA-1, else none.
std::string chooseHash(const RemoteFeatures& features);

/// Flags that make the parts of a multipart upload large enough for `estimate` bytes: S3 allows 10 000 parts and rclone
/// sends 5 MiB each for a stream of unknown size (48.8 GiB), B2 96 MiB × 10 000, Azure 4 MiB × 50 000.
std::vector<std::string> partSizeFlags(std::uint64_t estimate);

} // namespace holdfast
