#include "restore.hpp"

#include "attempts.hpp"
#include "stored.hpp"

#include "source/target.hpp"

#include <fmt/format.h>

namespace holdfast {

namespace {

using Chain = std::vector<const StoredBackup*>;

/// Finds what is missing or cut short before hours go by.
awaitable<void> demandObjects(const Rclone& rclone, const Plan& plan, const Chain& chain) {
    for (const auto* backup : chain) {
        for (const auto& object : backup->manifest->objects) {
            auto name = plan.atDestination(object.name);
            co_await checkObject(rclone, std::move(name), object, std::string());
        }
    }
}

std::uint64_t sizeOf(const Chain& chain) {
    std::uint64_t size = 0;
    for (const auto* backup : chain) size += storedSize(*backup->manifest);
    return size;
}

awaitable<void> receiveAll(const Rclone& rclone, const Plan& plan, const Chain& chain, Target& target,
                           Reporter& reporter, RateLimiter& limiter) {
    co_await target.beginAttempt();
    for (const auto* backup : chain) {
        const auto& manifest = *backup->manifest;
        auto spec = receiveSpec(plan, manifest, target.consumer(manifest));
        co_await receiveStream(rclone, std::move(spec), reporter.progress(), limiter);
        co_await target.received(manifest);
    }
}

} // namespace

awaitable<void> restore(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter,
                        RateLimiter& limiter) {
    const Rclone rclone(plan.settings.rcloneConfig);

    reporter.phase("preprocessing");
    const auto backups = co_await backupsOfPlan(rclone, plan, paths, ledger);
    const auto& wanted = backupOfRun(backups, std::get<RestoreTask>(plan.task).backup);
    const auto chain = chainOf(backups, wanted);
    co_await demandObjects(rclone, plan, chain);
    const auto target = makeTarget(plan, *wanted.manifest, ledger);
    co_await target->prepare();

    const Step receive = [&](std::uint32_t number) {
        reporter.beginAttempt(number, sizeOf(chain), false, "restoring");
        return receiveAll(rclone, plan, chain, *target, reporter, limiter);
    };
    co_await attempt(plan.settings, "Restore", receive);
    reporter.streamEnded();

    co_await target->arrive();
    reporter.metadata(target->metadata());
}

} // namespace holdfast
