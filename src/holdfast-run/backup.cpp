#include "backup.hpp"

#include "attempt.hpp"

#include "run/manifest.hpp"
#include "run/memory.hpp"
#include "source/source.hpp"
#include "transfer/rclone.hpp"
#include "transfer/stream.hpp"
#include "transfer/undo.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/format.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>

#include <fmt/format.h>

namespace holdfast {

using std::chrono::microseconds;

namespace {

/// Refuses a remote that would have rclone spool the whole stream to a temporary folder.
awaitable<RemoteFeatures> streamableRemote(const Rclone& rclone, std::string remote) {
    auto features = co_await rclone.features(remote);
    if (!features.streams) {
        throw Error(
            fmt::format("The remote \"{}\" cannot take a stream of unknown length (its backend has no PutStream), "
                        "so rclone would store all of it in a temporary folder first. Choose another remote, for "
                        "example a local, SFTP, S3 or B2 one.",
                        remote));
    }
    co_return features;
}

awaitable<void> prepare(Source& source, const Plan& plan, Reporter& reporter) {
    const auto begin = nowUSec();
    co_await withDeadline(source.prepare(), microseconds(plan.job.preprocessTimeout),
                          fmt::format("Preparing the source took longer than preprocessTimeout ({}).",
                                      formatSpan(plan.job.preprocessTimeout)));
    reporter.metadata(source.metadata());
    reporter.metadata({{"processingTimeMs", (nowUSec() - begin) / 1000}});
}

/// The stream that a source offers, as a program to run.
Producer producerOf(const Upload& upload) {
    if (const auto* producer = std::get_if<Producer>(&upload)) return *producer;
    if (const auto* file = std::get_if<StoredFile>(&upload)) {
        return {{"cat", "--", file->path.string()}, std::filesystem::file_size(file->path), false, file->format};
    }
    throw Error("Copies of files and folders are not part of this version.");
}

StreamSpec streamSpec(const Plan& plan, const Producer& producer, const RemoteFeatures& features) {
    return {.producer = producer.argv,
            .object = plan.outputPath(),
            .estimate = producer.totalBytes,
            .compressionLevel = plan.job.compressionLevel(),
            .remoteHash = chooseHash(features),
            .stallTimeout = plan.settings.stallTimeout,
            .killDelay = plan.settings.killDelay};
}

/// Says what a SIGKILL out of nowhere was, where the kernel tells: the memory limit, which no second attempt changes.
awaitable<Sent> sendWithinMemory(const Rclone& rclone, StreamSpec spec, Reporter& reporter, RateLimiter& limiter) {
    const auto before = oomKills().value_or(0);
    std::exception_ptr failure;
    try {
        co_return co_await sendStream(rclone, std::move(spec), reporter.progress(), limiter);
    } catch (const TransferError& e) {
        failure = oomKills().value_or(0) == before
                      ? std::current_exception()
                      : std::make_exception_ptr(TransferError(
                            fmt::format("The run ran out of memory; raise limits.memoryMax of the job. ({})", e.what()),
                            false));
    }
    std::rethrow_exception(failure);
}

struct Uploaded {
    Sent sent;
    std::string format;
    std::string hash; ///< which the remote keeps, if that is no SHA-256
};

awaitable<Uploaded> upload(const Rclone& rclone, const Plan& plan, Source& source, const RemoteFeatures& features,
                           Ledger& ledger, Reporter& reporter, RateLimiter& limiter) {
    Uploaded uploaded;
    ledger.acquire(objectKind, {{"object", plan.outputPath()}});
    co_await attempt(plan.settings, "Upload", [&](std::uint32_t number) -> awaitable<void> {
        if (number > 1) co_await rclone.remove(plan.outputPath());
        const auto producer = producerOf(source.upload());
        uploaded.format = producer.format;
        if (const auto hash = chooseHash(features); hash != "sha256") uploaded.hash = hash;
        reporter.beginAttempt(number, producer.totalBytes, producer.estimated);
        uploaded.sent = co_await sendWithinMemory(rclone, streamSpec(plan, producer, features), reporter, limiter);
    });
    reporter.streamEnded();
    reporter.metadata({{"bytesProcessed", uploaded.sent.streamSize}});
    co_return uploaded;
}

Manifest manifestOf(const Plan& plan, const Source& source, const Uploaded& uploaded,
                    const std::string& rcloneVersion) {
    const auto& sent = uploaded.sent;
    Manifest manifest;
    manifest.run = plan.id;
    manifest.job = plan.job.name;
    manifest.host = plan.host;
    manifest.source = toString(plan.job.sourceType());
    manifest.startedAt = plan.startedAt;
    manifest.finishedAt = nowUSec();
    manifest.stream = Manifest::Stream{uploaded.format, plan.job.compressionLevel() ? "zstd" : "none", sent.streamSize,
                                       sent.streamSha256};
    manifest.objects.push_back({plan.objectName, sent.objectSize, sent.objectSha256});
    if (!uploaded.hash.empty()) manifest.objects.back().hashes[uploaded.hash] = sent.remoteHash;
    manifest.sourceFields = source.manifest();
    manifest.tools = {{"holdfast", HOLDFAST_VERSION}, {"rclone", rcloneVersion}};
    return manifest;
}

/// The commit point: once the manifest is up, the run is a backup.
awaitable<void> commit(const Rclone& rclone, const Plan& plan, Ledger& ledger, const Manifest& manifest) {
    const auto object = plan.manifestPath();
    ledger.acquire(manifestKind, {{"object", object}});
    co_await attempt(plan.settings, "Manifest",
                     [&](std::uint32_t) { return rclone.write(object, serialize(manifest)); });
}

} // namespace

awaitable<void> backUp(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter) {
    const Rclone rclone(plan.settings.rcloneConfig);

    reporter.phase("preprocessing");
    const auto features = co_await streamableRemote(rclone, plan.job.remoteName);
    const auto source = makeSource(plan, paths, ledger);
    co_await prepare(*source, plan, reporter);

    const auto uploaded = co_await upload(rclone, plan, *source, features, ledger, reporter, limiter);
    co_await source->doneReading();

    reporter.phase("verifying");
    co_await attempt(plan.settings, "Verification",
                     [&](std::uint32_t) { return verifyObject(rclone, plan.outputPath(), features, uploaded.sent); });
    const auto version = co_await rclone.version();
    co_await commit(rclone, plan, ledger, manifestOf(plan, *source, uploaded, version));
}

} // namespace holdfast
