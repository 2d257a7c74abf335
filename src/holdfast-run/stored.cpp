#include "stored.hpp"

#include "attempts.hpp"

#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/unpack.hpp"
#include "transfer/digest.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr const char* fileListSuffix = ".files.jsonl";

} // namespace

awaitable<std::vector<StoredBackup>> backupsOfPlan(const Rclone& rclone, const Plan& plan, const Paths& paths,
                                                   Ledger& ledger) {
    const auto scratch = paths.scratch(plan.id);
    ledger.acquire(kinds::scratch, {{"path", scratch.string()}});
    makePrivateFolder(scratch);
    std::vector<StoredBackup> backups;
    const Step read = [&](std::uint32_t) -> awaitable<void> {
        auto folder = plan.atDestination({});
        auto manifests = scratch / "manifests";
        std::filesystem::remove_all(manifests);
        backups = co_await readBackups(rclone, std::move(folder), std::move(manifests));
    };
    co_await attempt(plan.settings, "Reading the manifests", read);
    co_return backups;
}

Owner ownerOf(const Plan& plan) { return {plan.job.name, plan.machine}; }

awaitable<void> checkObjects(const Rclone& rclone, const Plan& plan, const Manifest& manifest, std::string hash) {
    for (const auto& object : manifest.objects) {
        auto name = plan.atDestination(object.name);
        co_await checkObject(rclone, std::move(name), object, hash);
    }
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
            .explain = explainTar,
            .stallTimeout = plan.settings.stallTimeout,
            .killDelay = plan.settings.killDelay};
}

awaitable<FileList> storedList(const Rclone& rclone, const Plan& plan, const Paths& paths, const Manifest& manifest) {
    const auto& list = manifest.objects.front();
    const auto to = paths.scratch(plan.id) / "lists";
    auto folder = plan.atDestination({});
    std::vector<std::string> names{list.name};
    co_await rclone.fetch(std::move(folder), std::move(names), to);
    const auto text = readFileIfThere(to / list.name, list.size + 1);
    if (!text) throw Error(fmt::format("The list of files {} is missing, which its manifest names.", list.name));
    Digest digest("SHA256");
    digest.add(*text);
    if (text->size() != list.size || digest.finish() != list.sha256) {
        throw Error(fmt::format("The list of files {} is damaged: it is not what its manifest says.", list.name));
    }
    co_return parseFileList(*text);
}

std::string namesFlag(const Plan& plan, const Paths& paths, const FileList& files) {
    const auto file = paths.scratch(plan.id) / "names";
    std::string names;
    for (const auto& [path, ignored] : files) names += path + "\n";
    replaceFile(file, names, Durability::Volatile);
    return "--files-from-raw=" + file.string();
}

std::string folderOfCopy(const Plan& plan, const Manifest& manifest) {
    if (manifest.copy->layout == "mirror") return plan.atDestination({});
    const auto& list = manifest.objects.front().name;
    return plan.atDestination(list.substr(0, list.size() - std::string_view(fileListSuffix).size()));
}

std::uint64_t storedSize(const Manifest& manifest) {
    if (manifest.copy) return manifest.copy->bytes;
    std::uint64_t size = 0;
    for (const auto& object : manifest.objects) size += object.size;
    return size;
}

} // namespace holdfast
