#include "stored.hpp"

#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "util/error.hpp"

#include <utility>

#include <fmt/format.h>

namespace holdfast {

awaitable<std::vector<StoredBackup>> backupsOfPlan(const Rclone& rclone, const Plan& plan, const Paths& paths,
                                                   Ledger& ledger) {
    const auto scratch = paths.scratch(plan.id);
    ledger.acquire(kinds::scratch, {{"path", scratch.string()}});
    makePrivateFolder(scratch);
    auto folder = plan.atDestination({});
    auto manifests = scratch / "manifests";
    auto backups = co_await readBackups(rclone, std::move(folder), std::move(manifests));
    co_return backups;
}

ReceiveSpec receiveSpec(const Plan& plan, const Manifest& manifest, std::vector<std::string> consumer) {
    if (!manifest.stream || manifest.objects.size() != 1) {
        throw Error(fmt::format("The backup of run {} is not one stream; a newer Holdfast may be able to read it.",
                                manifest.run));
    }
    return {.object = plan.atDestination(manifest.objects.front().name),
            .wanted = manifest.objects.front(),
            .stream = *manifest.stream,
            .consumer = std::move(consumer),
            .stallTimeout = plan.settings.stallTimeout,
            .killDelay = plan.settings.killDelay};
}

std::uint64_t storedSize(const Manifest& manifest) {
    std::uint64_t size = 0;
    for (const auto& object : manifest.objects) size += object.size;
    return size;
}

} // namespace holdfast
