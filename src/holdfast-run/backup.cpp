#include "backup.hpp"

#include "attempts.hpp"
#include "pruning.hpp"
#include "upload.hpp"

#include "job/public_document.hpp"
#include "transfer/undo.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/format.hpp"
#include "util/log.hpp"

#include <chrono>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

namespace holdfast {

using std::chrono::microseconds;

namespace {

void warnIfReadable(const std::filesystem::path& rcloneConfig) {
    struct stat info {};
    if (::stat(rcloneConfig.c_str(), &info) < 0 || (info.st_mode & 0044) == 0) return;
    logWarning(
        fmt::format("Others than root may read rclone's configuration {} (mode {:04o}), and with it the secrets of "
                    "the remotes. Take that away: chmod 600 {}",
                    rcloneConfig.string(), info.st_mode & 07777, rcloneConfig.string()));
}

/// To ask takes rclone longer than many a source takes to be ready.
Question<Destination>::Ask destinationOf(const Rclone& rclone, const Plan& plan) {
    return [rclone, plan]() { return lookAtDestination(rclone, plan); };
}

/// Tells the source whether the backup that it would build on is still there.
awaitable<void> lookForEarlier(const Rclone& rclone, const Settings& settings, Source& source) {
    const auto object = source.earlierManifest();
    if (!object) co_return;
    std::optional<Manifest> manifest;
    co_await attempt(settings, "Looking for the last backup",
                     [&](std::uint32_t) -> awaitable<void> { manifest = co_await readManifest(rclone, *object); });
    source.earlier(manifest);
}

/// Within preprocessTimeout. That it was too slow is in the ledger before it is told to stop: it may hang, and take the
/// program with it.
awaitable<void> prepareInTime(Source& source, const Plan& plan, Ledger& ledger) {
    using namespace asio::experimental::awaitable_operators;
    const auto tooSlow = fmt::format("{} took longer than preprocessTimeout ({}).", source.preparing(),
                                     formatSpan(plan.job.preprocessTimeout));
    auto limit = [&]() -> awaitable<void> {
        co_await sleepFor(microseconds(plan.job.preprocessTimeout));
        ledger.verdict(tooSlow);
    };
    const auto first = co_await (caught(source.prepare()) || limit());
    if (first.index() == 1) throw TimedOut(tooSlow);
    if (const auto failure = std::get<0>(first)) std::rethrow_exception(failure);
}

awaitable<void> prepare(Source& source, const Plan& plan, Ledger& ledger, Reporter& reporter) {
    const auto begin = std::chrono::steady_clock::now(); // which nobody sets
    auto work = prepareInTime(source, plan, ledger);
    const auto failure = co_await caught(std::move(work));
    if (failure) {
        reporter.metadata(source.metadataOfFailure());
        std::rethrow_exception(failure);
    }
    reporter.metadata(source.metadata());
    if (const auto notice = source.notice(); !notice.empty()) logNotice(notice);
    const auto took = std::chrono::steady_clock::now() - begin;
    reporter.metadata({{"processingTimeMs", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()}});
}

void identify(Manifest& manifest, const Plan& plan, const Source& source, const std::string& rcloneVersion) {
    manifest.run = plan.id;
    manifest.job = plan.job.name;
    manifest.machine = plan.machine;
    manifest.source = toString(plan.job.sourceType());
    manifest.startedAt = plan.startedAt;
    manifest.finishedAt = nowUSec();
    manifest.sourceFields = source.manifest();
    manifest.tools = {{"holdfast", HOLDFAST_VERSION}, {"rclone", rcloneVersion}};
    manifest.tools.update(source.tools());
    auto job = withoutSecrets(plan.job.document());
    manifest.jobDocument = std::move(job.document);
    manifest.jobDocumentLacks = std::move(job.leftOut);
}

/// The commit point: once the manifest is up, the run is a backup.
awaitable<void> commit(const Rclone& rclone, const Plan& plan, Ledger& ledger, const Manifest& manifest) {
    const auto object = plan.manifestPath();
    ledger.acquire(manifestKind, {{"object", object}});
    const Step write = [&](std::uint32_t) { return rclone.write(object, serialize(manifest)); };
    co_await attempt(plan.settings, "Manifest", write);
}

} // namespace

awaitable<void> backUp(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter) {
    const Rclone rclone(plan.settings.rcloneConfig);

    warnIfReadable(plan.settings.rcloneConfig);
    reporter.phase("preprocessing");
    Question<Destination> destination(co_await asio::this_coro::executor, destinationOf(rclone, plan));
    Warnings warnings(reporter);
    const auto source = makeSource(plan, paths, ledger);
    if (!source->isLight()) {
        const Step ask = [&](std::uint32_t) -> awaitable<void> { static_cast<void>(co_await destination.answer()); };
        co_await attempt(plan.settings, "Asking the remote", ask);
    }
    co_await lookForEarlier(rclone, plan.settings, *source);
    co_await prepare(*source, plan, ledger, reporter);

    Manifest manifest;
    const Backup backup{plan, rclone, destination, *source, ledger, reporter, limiter, warnings};
    if (plan.job.streams())
        co_await uploadStream(backup, manifest);
    else
        co_await uploadCopy(backup, manifest);
    reporter.metadata(source->metadata()); // it may know more now that it has been read

    const auto version = co_await rclone.version();
    identify(manifest, plan, *source, version);
    co_await commit(rclone, plan, ledger, manifest);
    co_await pruneAfterBackup(plan, paths, ledger, reporter, warnings);
}

} // namespace holdfast
