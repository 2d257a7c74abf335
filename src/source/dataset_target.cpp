#include "source/dataset_target.hpp"

#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/zfs_command.hpp"
#include "source/zfs_disarm.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/id.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

using Words = std::vector<std::string>;

/// Throws `Error` if zfs cannot tell.
awaitable<bool> exists(std::string dataset) {
    Words words{"list", "-H", "-o", "name", dataset};
    const auto answer = co_await tryZfs(std::move(words));
    if (!answer.ok && !saysAbsent(answer.error)) throw Error(explainZfs("look for " + dataset, answer.error));
    co_return answer.ok;
}

/// What was in use a moment ago may be busy for a moment longer.
awaitable<void> persist(Words words, std::string doing) {
    constexpr int tries = 20;
    for (int left = tries; left > 0; --left) {
        const auto answer = co_await tryZfs(words);
        if (answer.ok) co_return;
        const bool busy = answer.error.find("busy") != std::string::npos;
        if (left == 1 || !busy) throw Error(explainZfs(doing, answer.error));
        co_await sleepFor(300ms);
    }
}

awaitable<void> renameDataset(std::string from, std::string to) {
    auto doing = fmt::format("rename {} to {}", from, to);
    Words words{"rename", from, to};
    co_await persist(std::move(words), std::move(doing));
}

std::string parentOf(const std::string& dataset) { return dataset.substr(0, dataset.rfind('/')); }

std::string field(const Manifest& manifest, const char* name) { return manifest.sourceFields.at(name); }

/// How to get at what was received.
std::string howToMount(const std::string& target, std::size_t fileSystems) {
    if (fileSystems == 0) return {}; // a volume
    auto text = fmt::format("Not mounted, and not to be mounted by a boot either (canmount=noauto); mountpoints and "
                            "shares of the original are not taken over. \"zfs mount {0}\" mounts it, \"zfs set "
                            "canmount=on {0}\" lets each boot do so.",
                            target);
    if (fileSystems > 1) {
        text += fmt::format(" The same goes for each of the {} file systems below it: \"zfs list -r -o "
                            "name,canmount,mountpoint {}\" shows them.",
                            fileSystems - 1, target);
    }
    return text;
}

} // namespace

DatasetTarget::DatasetTarget(const RestoreTask& task, const std::string& runId, Ledger& ledger)
    : task_(task), runId_(runId), ledger_(ledger), beside_(task.target + runSuffix(runId)),
      aside_(fmt::format("{}.before-{}", task.target, runId.substr(0, 8))) {}

awaitable<void> DatasetTarget::prepare() {
    Words words{"list", "-H", "-o", "name", parentOf(task_.target)};
    auto doing = fmt::format("restore into {}", parentOf(task_.target));
    co_await runZfs(std::move(words), std::move(doing));
    setAside_ = co_await exists(task_.target);
    if (setAside_) co_await refuseWhatIsThere();
    receive_ = co_await receiveWords(beside_);
    ledger_.acquire(kinds::receivedDataset, {{"dataset", beside_}});
}

awaitable<void> DatasetTarget::refuseWhatIsThere() {
    if (!task_.force) {
        throw Error(fmt::format("There is a dataset {} already. Restore to another one; or with force, which sets what "
                                "is there aside as {}.",
                                task_.target, aside_));
    }
    const auto there = co_await fileSystemsOf(task_.target);
    for (const auto& one : there) {
        if (!one.mounted) continue;
        throw Error(fmt::format("{} is mounted: unmount it (zfs unmount {}) before {} is replaced.", one.name, one.name,
                                task_.target));
    }
    belowAside_ = there.empty() ? 0 : there.size() - 1;
}

awaitable<void> DatasetTarget::beginAttempt() {
    nlohmann::json entry{{"dataset", beside_}};
    co_await undoReceivedDataset(std::move(entry), runId_);
}

/// Options for file systems only are an error where a single volume is received, which nothing tells from here; and a
/// single dataset's stream has no properties, unless somebody else has made it.
Words DatasetTarget::consumer(const Manifest& manifest) const {
    const bool recursive = manifest.sourceFields.value("recursive", false);
    return recursive ? receive_ : Words{"zfs", "receive", "-u", beside_};
}

awaitable<void> DatasetTarget::received(const Manifest& manifest) {
    fileSystems_ = co_await disarm(beside_, task_.target);
    snapshot_ = field(manifest, "snapshot");
    guid_ = field(manifest, "guid");
    const auto found = co_await zfsProperty("guid", beside_ + "@" + snapshot_);
    if (found == guid_) co_return;
    throw Error(fmt::format("What was received is not what was sent: {} has the GUID {}, but the manifest of run {} "
                            "says {}.",
                            snapshot_, found, manifest.run, guid_));
}

awaitable<void> DatasetTarget::arrive() {
    ledger_.acquire(kinds::datasetArrival, {{"dataset", task_.target},
                                            {"beside", beside_},
                                            {"aside", setAside_ ? aside_ : ""},
                                            {"snapshot", snapshot_},
                                            {"guid", guid_}});
    if (setAside_) co_await renameDataset(task_.target, aside_);
    co_await renameDataset(beside_, task_.target);
}

nlohmann::json DatasetTarget::metadata() const {
    nlohmann::json metadata{{"restoredTo", task_.target}};
    auto message = howToMount(task_.target, fileSystems_);
    if (setAside_) {
        metadata["setAside"] = aside_;
        if (belowAside_ > 0) {
            message += fmt::format(" What was at {} is {} now, and with it the {} file systems below it; their "
                                   "mountpoints are as they were.",
                                   task_.target, aside_, belowAside_);
        }
    }
    if (!message.empty()) metadata["message"] = message;
    return metadata;
}

awaitable<bool> datasetArrived(nlohmann::json entry) {
    const bool unfinished = co_await exists(entry.at("beside"));
    if (unfinished) co_return false;
    const std::string snapshot = entry.at("dataset").get<std::string>() + "@" + entry.at("snapshot").get<std::string>();
    const bool there = co_await exists(snapshot);
    if (!there) co_return false;
    const auto guid = co_await zfsProperty("guid", snapshot);
    co_return guid == entry.at("guid").get<std::string>();
}

awaitable<void> undoDatasetArrival(nlohmann::json entry) {
    const std::string target = entry.at("dataset");
    const std::string aside = entry.at("aside");
    if (aside.empty()) co_return;
    const bool taken = co_await exists(target);
    const bool waiting = co_await exists(aside);
    if (!taken && waiting) co_await renameDataset(aside, target);
}

awaitable<void> undoReceivedDataset(nlohmann::json entry, std::string runId) {
    const std::string dataset = entry.at("dataset");
    if (!isId(runId) || !dataset.ends_with(runSuffix(runId)) || dataset.starts_with('-')) {
        throw Error(fmt::format("{} is not destroyed: nothing in its name says that run {} made it.", dataset, runId));
    }
    const bool there = co_await exists(dataset);
    if (there) {
        auto doing = fmt::format("destroy what was received as {}", dataset);
        Words destroy{"destroy", "-r", dataset};
        co_await persist(std::move(destroy), std::move(doing));
        co_return;
    }
    // If its whole pool is away, it may come back with it.
    Words pool{"list", "-H", "-o", "name", dataset.substr(0, dataset.find('/'))};
    auto doing = fmt::format("look for {}", dataset);
    co_await runZfs(std::move(pool), std::move(doing));
}

} // namespace holdfast
