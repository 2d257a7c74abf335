#include "restore.hpp"

#include "attempts.hpp"
#include "restore_copy.hpp"
#include "stored.hpp"

#include "util/async.hpp"
#include "util/error.hpp"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

/// Finds what is missing or cut short before hours go by.
awaitable<void> demandObjects(const Rclone& rclone, const Plan& plan, const Chain& chain) {
    for (const auto* backup : chain) {
        const Step look = [&](std::uint32_t) { return checkObjects(rclone, plan, *backup->manifest, std::string()); };
        co_await attempt(plan.settings, "Looking whether all is there", look);
    }
}

/// What lies at a remote may have changed since the restore was authorized and its sandbox was made for it.
void demandAsAuthorized(const Plan& plan, const RestoreTask& task, const Chain& chain) {
    for (const auto* backup : chain) {
        const auto& manifest = *backup->manifest;
        const bool same = manifest.source == toString(plan.job.sourceType()) && manifest.job == plan.job.name &&
                          (task.format.empty() || formatOf(manifest) == task.format);
        if (same) continue;
        throw Error(fmt::format("The manifest of run {} tells of a backup of job {}, source {}, format {}; that is not "
                                "what was asked for when this restore was authorized. Somebody has changed it at the "
                                "remote meanwhile.",
                                manifest.run, manifest.job, manifest.source, formatOf(manifest)));
    }
}

std::uint64_t bytesToFetch(const Chain& chain) {
    std::uint64_t size = 0;
    for (const auto* backup : chain) size += storedSize(*backup->manifest);
    return size;
}

awaitable<void> receive(Restore restore, const Manifest& manifest) {
    if (manifest.copy) {
        co_await restoreCopy(restore, manifest);
    } else {
        auto spec = receiveSpec(restore.plan, manifest, restore.target.consumer(manifest));
        spec.keep = restore.target.descriptors();
        co_await receiveStream(restore.rclone, std::move(spec), restore.reporter.progress(), restore.limiter);
    }
    co_await restore.target.received(manifest);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + with.size())) {
        text.replace(at, what.size(), with);
    }
    return text;
}

/// With the place as people know it. A program that could write only a part of a block does not always say that there
/// is no room.
[[noreturn]] void rethrowForPeople(const std::exception_ptr& failure, const Target& target) {
    constexpr std::uintmax_t almostNothing = 64 * 1024;
    std::error_code noFolder; // a dataset, say
    const auto room = std::filesystem::space(target.place(), noFolder);
    try {
        std::rethrow_exception(failure);
    } catch (const TransferError& e) {
        const auto words = replaced(e.what(), target.place(), target.shownPlace());
        if (noFolder || room.available > almostNothing) throw TransferError(words, e.retry());
        throw TransferError(fmt::format("{} (No space left on device: {} lies on a file system that is full. Make "
                                        "room, or restore to another target.)",
                                        words, target.shownPlace()),
                            false);
    }
}

awaitable<void> receiveAll(Restore restore, const Chain& chain) {
    co_await restore.target.beginAttempt();
    for (const auto* backup : chain) {
        auto receiving = receive(restore, *backup->manifest);
        const auto failure = co_await caught(withinMemory(std::move(receiving)));
        if (failure) rethrowForPeople(failure, restore.target);
    }
}

} // namespace

awaitable<void> fetchChain(Restore restore, Chain chain, std::string what, std::string phase) {
    co_await demandObjects(restore.rclone, restore.plan, chain);
    co_await restore.target.prepare();
    const Step receive = [&](std::uint32_t number) {
        restore.reporter.beginAttempt(number, bytesToFetch(chain), false, phase);
        return receiveAll(restore, chain);
    };
    co_await attempt(restore.plan.settings, what, receive);
    restore.reporter.streamEnded();
}

awaitable<void> restore(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter,
                        RateLimiter& limiter) {
    const Rclone rclone(plan.settings.rcloneConfig);
    const auto& task = std::get<RestoreTask>(plan.task);

    reporter.phase("preprocessing");
    const auto backups = co_await backupsOfPlan(rclone, plan, paths, ledger);
    const auto& wanted = backupOfRun(backups, task.backup);
    const auto chain = chainOf(backups, wanted);
    demandAsAuthorized(plan, task, chain);
    const auto target = makeTarget(task, plan.id, *wanted.manifest, ledger);

    const Restore all{plan, task, paths, rclone, *target, reporter, limiter};
    co_await fetchChain(all, chain, "Restore", "restoring");

    co_await target->arrive();
    reporter.metadata(target->metadata());
}

} // namespace holdfast
