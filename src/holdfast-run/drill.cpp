#include "drill.hpp"

#include "restore.hpp"
#include "stored.hpp"
#include "verify.hpp"

#include "source/inspection.hpp"
#include "source/scratch_target.hpp"
#include "util/error.hpp"
#include "util/format.hpp"

#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

const StoredBackup& newestBackup(const std::vector<StoredBackup>& backups, const Plan& plan) {
    if (const auto* newest = newestOf(backups, ownerOf(plan), nowUSec())) return *newest;
    throw Error("Nothing can be drilled. " + whyNoneOf(backups, ownerOf(plan), plan.outputPath()));
}

/// The run's sandbox, and where its scratch is, are those of the source that the job has now.
void demandSameSource(const Job& job, const Manifest& manifest) {
    if (manifest.source == toString(job.sourceType())) return;
    throw Error(fmt::format("The newest backup of job {} is of a source of type {}, but the job now has one of type "
                            "{}: run the job once, then its backup can be drilled.",
                            job.name, manifest.source, toString(job.sourceType())));
}

/// What it takes when it is unpacked.
std::uint64_t restoredSize(const Chain& chain) {
    std::uint64_t size = 0;
    for (const auto* backup : chain) {
        const auto& manifest = *backup->manifest;
        size += manifest.stream ? manifest.stream->size : manifest.copy->bytes;
    }
    return size;
}

awaitable<void> look(Verification all, Chain chain) {
    co_await verifyBackups(all, std::move(chain), false);
    all.reporter.metadata({{"message", "Looked at, not restored: the drill was not a deep one."}});
}

} // namespace

awaitable<void> drill(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter) {
    const Rclone rclone(plan.settings.rcloneConfig);
    const auto& task = std::get<DrillTask>(plan.task);

    reporter.phase("preprocessing");
    const auto backups = co_await backupsOfPlan(rclone, plan, paths, ledger);
    const auto& newest = newestBackup(backups, plan);
    const auto& manifest = *newest.manifest;
    const auto chain = chainOf(backups, newest);
    reporter.metadata({{"backup", manifest.run}, {"backupsDrilled", chain.size()}});
    if (!task.deep) {
        const Verification all{plan, paths, rclone, backups, reporter, limiter};
        co_await look(all, chain);
        co_return;
    }

    demandSameSource(plan.job, manifest);
    const auto scratch = scratchFor(plan, paths);
    const auto room = co_await roomFor(plan, paths);
    demandRoom(restoredSize(chain), room, task.maxSize);
    const auto target = makeTarget(scratch, plan.id, manifest, ledger);
    const Restore all{plan, scratch, paths, rclone, *target, reporter, limiter};
    co_await fetchChain(all, chain, "Drill", "restoring");

    reporter.phase("verifying");
    auto place = target->place();
    auto descriptors = target->descriptors();
    auto findings = co_await inspect(std::move(place), std::move(descriptors), manifest);
    reporter.metadata(findings);
    reporter.metadata({{"proves", manifest.run}, {"provesNewest", true}});
}

} // namespace holdfast
