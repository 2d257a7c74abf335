#include "attempts.hpp"
#include "ground.hpp"
#include "upload.hpp"

#include "transfer/stream.hpp"
#include "transfer/undo.hpp"

#include <filesystem>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace holdfast {

namespace {

/// The stream that a source offers, as a program to run.
Producer producerOf(const Upload& upload) {
    if (const auto* file = std::get_if<StoredFile>(&upload)) {
        const auto name = file->fd < 0 ? file->path.string() : fmt::format("/proc/self/fd/{}", file->fd);
        Producer producer{{"cat", "--", name}, std::filesystem::file_size(name), false, file->format};
        if (file->fd >= 0) producer.keep = {file->fd};
        return producer;
    }
    return std::get<Producer>(upload);
}

StreamSpec streamSpec(const Backup& backup, const Producer& producer) {
    const auto& plan = backup.plan;
    return {.producer = producer.argv,
            .object = plan.outputPath(),
            .estimate = producer.totalBytes,
            .compressionLevel = plan.job.compressionLevel(),
            .keep = producer.keep,
            .remoteHash = {},
            .stallTimeout = plan.settings.stallTimeout,
            .killDelay = plan.settings.killDelay};
}

/// `announced`: whether the object is in the ledger. It is written there once something may be sent: where the remote
/// turns out not to be one, nothing could ever be given back.
awaitable<void> send(Backup backup, Producer producer, std::uint32_t number, bool& announced, Sent& sent) {
    auto spec = streamSpec(backup, producer);
    spec.beforeSending = [&](StreamSpec& stream) -> awaitable<void> {
        const auto destination = co_await backup.destination.answer();
        for (const auto& warning : destination.warnings) backup.warnings.give(warning);
        stream.remoteHash = chooseHash(destination.features);
        if (!announced) backup.ledger.acquire(objectKind, {{"object", stream.object}});
        announced = true;
        backup.reporter.beginAttempt(number, producer.totalBytes, producer.estimated); // from here on time is measured
    };
    sent = co_await sendStream(backup.rclone, std::move(spec), backup.reporter.progress(), backup.limiter);
}

} // namespace

awaitable<void> uploadStream(Backup backup, Manifest& manifest) {
    const auto& plan = backup.plan;
    const auto object = plan.outputPath();
    Producer producer;
    Sent sent;
    bool announced = false;

    const Step upload = [&](std::uint32_t number) -> awaitable<void> {
        if (announced) co_await removeUploaded(backup.rclone, object);
        producer = producerOf(backup.source.upload());
        auto sending = send(backup, producer, number, announced, sent);
        co_await withinMemory(std::move(sending));
    };
    co_await attempt(plan.settings, "Upload", upload);
    backup.reporter.streamEnded();
    backup.reporter.metadata({{"bytesProcessed", sent.streamSize}});
    co_await backup.source.doneReading();

    backup.reporter.phase("verifying");
    const auto destination = co_await backup.destination.answer();
    const auto& features = destination.features;
    compareSource(backup, destination, {0, sent.streamSize});
    const Step verify = [&](std::uint32_t) { return verifyObject(backup.rclone, object, features, sent); };
    co_await attempt(plan.settings, "Verification", verify);

    const char* compression = plan.job.compressionLevel() ? "zstd" : "none";
    manifest.stream = Manifest::Stream{producer.format, compression, sent.streamSize, sent.streamSha256};
    manifest.objects.push_back({plan.objectName, sent.objectSize, sent.objectSha256});
    const auto hash = chooseHash(features);
    if (!hash.empty() && hash != "sha256") manifest.objects.back().hashes[hash] = sent.remoteHash;
}

} // namespace holdfast
