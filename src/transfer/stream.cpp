#include "transfer/stream.hpp"

#include "transfer/pipe.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

/// What rclone would check with all of its hashes, at a fifth of the speed, we check with one: verifyObject().
std::vector<std::string> rcatArguments(const StreamSpec& spec) {
    std::vector<std::string> arguments{"rcat", "--ignore-checksum"};
    for (auto& flag : partSizeFlags(spec.estimate)) arguments.push_back(std::move(flag));
    arguments.insert(arguments.end(), {"--", spec.object});
    return arguments;
}

PipeSpec::Failure failureOfRclone(std::string doing) {
    return [doing = std::move(doing)](const ExitStatus& status, const std::string& lastWords) {
        return rcloneFailure(doing, status, lastWords);
    };
}

PipeSpec::Failure failureOfProducer(std::string program) {
    return [program = std::move(program)](const ExitStatus& status, const std::string& lastWords) {
        return TransferError(fmt::format("{} {} before the stream was whole{}{}", program, status.describe(),
                                         lastWords.empty() ? "." : ": ", lastWords),
                             true);
    };
}

/// It is the stream that is wrong, or the place where it should go: another attempt would not help.
PipeSpec::Failure failureOfConsumer(const ReceiveSpec& spec) {
    return [program = spec.consumer.at(0), object = spec.object, explain = spec.explain](const ExitStatus& status,
                                                                                         const std::string& lastWords) {
        if (explain && explain(lastWords) != lastWords) return TransferError(explain(lastWords), false);
        return TransferError(fmt::format("{} could not take {}: it {}{}{}", program, object, status.describe(),
                                         lastWords.empty() ? "." : ": ", lastWords),
                             false);
    };
}

bool isComputed(const std::string& hash) { return !hash.empty() && hash != "sha256"; }

/// Throws unless what came is what the manifest tells of.
void demandSame(const std::string& what, std::uint64_t size, const std::string& sha256, std::uint64_t wantedSize,
                const std::string& wantedSha256) {
    if (size != wantedSize) {
        throw TransferError(
            fmt::format("{} is damaged: it has {} bytes, but its manifest says {}.", what, size, wantedSize), false);
    }
    if (sha256 != wantedSha256) {
        throw TransferError(
            fmt::format("{} is damaged: its SHA-256 is {}, but its manifest says {}.", what, sha256, wantedSha256),
            false);
    }
}

} // namespace

awaitable<Sent> sendStream(const Rclone& rclone, StreamSpec spec, Progress& progress, RateLimiter& limiter) {
    PipeSpec pipe;
    pipe.producer.argv = spec.producer;
    pipe.producer.keep = spec.keep;
    pipe.consumer = rclone.command(rcatArguments(spec));
    pipe.compressionLevel = spec.compressionLevel;
    pipe.beforeConsumer = [&spec](PipeSpec& line) -> awaitable<void> {
        if (spec.beforeSending) co_await spec.beforeSending(spec);
        if (isComputed(spec.remoteHash)) line.outHash = spec.remoteHash;
    };
    pipe.stallTimeout = spec.stallTimeout;
    pipe.killDelay = spec.killDelay;
    pipe.producerFailed = failureOfProducer(spec.producer.at(0));
    pipe.consumerFailed = failureOfRclone(fmt::format("upload {}", spec.object));
    pipe.gate = [producer = spec.producer.at(0)](const Flow& flow) {
        if (flow.inSize > 0) return;
        throw TransferError(fmt::format("{} wrote nothing: an empty stream is not a backup.", producer), false);
    };
    const auto flow = co_await runPipe(std::move(pipe), progress, limiter);
    Sent sent{.streamSize = flow.inSize,
              .streamSha256 = flow.inSha256,
              .objectSize = flow.outSize,
              .objectSha256 = flow.outSha256,
              .remoteHash = flow.outHash};
    if (sent.remoteHash.empty()) sent.remoteHash = sent.objectSha256;
    co_return sent;
}

awaitable<void> receiveStream(const Rclone& rclone, ReceiveSpec spec, Progress& progress, RateLimiter& limiter) {
    PipeSpec pipe;
    pipe.producer = rclone.command({"cat", "--buffer-size=0", "--", spec.object});
    if (!spec.consumer.empty()) {
        pipe.consumer.emplace();
        pipe.consumer->argv = spec.consumer;
        pipe.consumer->keep = spec.keep;
        pipe.consumerFailed = failureOfConsumer(spec);
    }
    pipe.decompress = spec.stream.compression == "zstd";
    pipe.limitInput = true;
    pipe.mayEndEarly = true;
    pipe.stallTimeout = spec.stallTimeout;
    pipe.killDelay = spec.killDelay;
    pipe.producerFailed = failureOfRclone(fmt::format("read {}", spec.object));
    pipe.gate = [object = spec.object, wanted = spec.wanted, stream = spec.stream](const Flow& flow) {
        demandSame(object, flow.inSize, flow.inSha256, wanted.size, wanted.sha256);
        demandSame("The stream in " + object, flow.outSize, flow.outSha256, stream.size, stream.sha256);
    };
    std::string damage;
    try {
        co_await runPipe(std::move(pipe), progress, limiter);
    } catch (const TransferError&) {
        throw;
    } catch (const Error& e) {
        damage = e.what();
    }
    if (!damage.empty()) throw TransferError(fmt::format("{} is damaged: {}", spec.object, damage), false);
}

awaitable<void> verifyObject(const Rclone& rclone, std::string object, RemoteFeatures features, Sent sent) {
    constexpr std::uint64_t slowestRead = 1024 * 1024; // bytes a second, where the object has to be read
    const auto deadline = 10min + std::chrono::seconds(sent.objectSize / slowestRead);
    const auto hash = chooseHash(features);
    std::optional<RemoteObject> found;
    if (features.local)
        found = co_await rclone.readBack(object, deadline);
    else
        found = co_await rclone.stat(object, hash, deadline);
    if (!found) throw TransferError(fmt::format("{} is not there after its upload.", object), true);
    if (found->size != sent.objectSize) {
        throw TransferError(
            fmt::format("{} has {} bytes at the destination, but {} were sent.", object, found->size, sent.objectSize),
            true);
    }
    if (found->hash && *found->hash != sent.remoteHash) {
        throw TransferError(fmt::format("{} differs at the destination from what was sent ({} is {}, should be {}).",
                                        object, hash, *found->hash, sent.remoteHash),
                            true);
    }
}

awaitable<void> checkObject(const Rclone& rclone, std::string object, Manifest::Object wanted, std::string hash) {
    std::string value = hash == "sha256" ? wanted.sha256 : wanted.hashes[hash];
    if (value.empty()) hash.clear();
    const auto found = co_await rclone.stat(object, hash, 10min);
    if (!found) throw TransferError(fmt::format("{} is missing, which its manifest names.", object), false);
    if (found->size != wanted.size) {
        throw TransferError(
            fmt::format("{} is damaged: it has {} bytes, but its manifest says {}.", object, found->size, wanted.size),
            false);
    }
    if (found->hash && *found->hash != value) {
        throw TransferError(fmt::format("{} is damaged: the remote says that its {} is {}, but its manifest says {}.",
                                        object, hash, *found->hash, value),
                            false);
    }
}

std::string chooseHash(const RemoteFeatures& features) {
    for (const char* hash : {"sha256", "md5", "sha1"}) {
        if (std::find(features.hashes.begin(), features.hashes.end(), hash) != features.hashes.end()) return hash;
    }
    return {};
}

std::vector<std::string> partSizeFlags(std::uint64_t estimate) {
    constexpr std::uint64_t mib = 1024 * 1024;
    struct Backend {
        const char* flag;
        std::uint64_t part, parts;
    };
    static constexpr Backend backends[] = {{"--s3-chunk-size", 5 * mib, 10'000},
                                           {"--b2-chunk-size", 96 * mib, 10'000},
                                           {"--azureblob-chunk-size", 4 * mib, 50'000}};

    std::vector<std::string> flags;
    const std::uint64_t wanted = estimate + estimate / 4;
    for (const auto& backend : backends) {
        if (wanted <= backend.part * backend.parts) continue;
        const auto part = (wanted / backend.parts + mib) / mib; // whole MiB, rounded up
        flags.push_back(fmt::format("{}={}Mi", backend.flag, part));
    }
    return flags;
}

} // namespace holdfast
