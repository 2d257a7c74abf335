#include "destination.hpp"

#include "run/run_name.hpp"
#include "transfer/backups.hpp"
#include "transfer/undo.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto longestLook = 2min;
constexpr std::string_view mirrorSuffix = ".mirror.manifest.json";

using Manifests = std::vector<FolderEntry>;

/// A remote that cannot take a stream would have rclone spool all of it to a temporary folder.
void refuseSpooling(const std::string& remote, const RemoteFeatures& features) {
    if (features.streams) return;
    throw Error(noStreamsTo(remote));
}

void refuseNoBucket(const Plan& plan, const RemoteFeatures& features) {
    if (features.buckets && features.root.empty() && plan.job.destinationPath.empty()) {
        throw Error(noBucketIn(plan.job.remoteName));
    }
}

/// What others could be overwritten with, or overwrite: a mirror lies in the folder itself, under the names of the
/// source.
void refuseOthersMirror(const Plan& plan, const Manifests& found) {
    for (const auto& file : found) {
        if (!file.name.ends_with(mirrorSuffix)) continue;
        const auto job = file.name.substr(0, file.name.size() - mirrorSuffix.size());
        if (job == plan.job.name) continue;
        throw Error(
            fmt::format("{} holds the mirror of another job, {}: the files of both would lie in one folder, and "
                        "overwrite each other. Give this job a destinationPath of its own.",
                        plan.job.destination(), job));
    }
}

awaitable<void> refuseOtherMachinesMirror(const Rclone& rclone, const Plan& plan) {
    auto path = plan.manifestPath();
    const auto manifest = co_await readManifest(rclone, std::move(path));
    if (!manifest || isMadeBy(*manifest, plan.machine)) co_return;
    throw Error(
        fmt::format("{} holds the mirror that another machine ({}) has made of its job {}: each would overwrite "
                    "the other's files. Give this job a destinationPath of its own; if that machine is no more, "
                    "remove {} there.",
                    plan.job.destination(), manifest->machine.host, plan.job.name, plan.manifestPath()));
}

std::string mirrorManifest(const Plan& plan) { return plan.job.name + std::string(mirrorSuffix); }

bool holds(const Manifests& found, const std::string& name) {
    return std::any_of(found.begin(), found.end(), [&](const FolderEntry& file) { return file.name == name; });
}

bool holdsAnyOf(const Manifests& found, const std::string& job) {
    return std::any_of(found.begin(), found.end(), [&](const FolderEntry& file) {
        return isNamedAfter(StoredBackup{file.name, std::nullopt}, job);
    });
}

/// The history knows of a backup here. Is this still the place?
void compareWithEarlier(const Plan& plan, const Manifests& found, Destination& destination) {
    if (!plan.earlier || holds(found, plan.earlier->manifestName)) return;
    const auto depth = plan.earlier->ground.value("destinationDepth", 0U);
    if (destination.features.local && destination.depth < depth) {
        throw Error(fmt::format("A file system that {} lay on is not mounted: of the earlier backups nothing is there, "
                                "and this one would fill another disk. Mount it; if backups are to lie here from now "
                                "on, move the earlier ones here or choose another destinationPath.",
                                plan.job.destination()));
    }
    if (plan.job.mirrors() ? plan.earlier->failedSince : holdsAnyOf(found, plan.job.name)) return;
    destination.warnings.push_back(
        {"earlier backups are missing",
         fmt::format("Nothing is left in {} of the job's earlier backups, of which the history knows. Is something not "
                     "mounted, or was another disk or bucket put in its place?",
                     plan.job.destination()),
         true});
}

void tellOfTheFuture(const Plan& plan, const Manifests& found, Destination& destination) {
    for (const auto& file : found) {
        const auto name = parseRunName(file.name);
        if (!name || name->job != plan.job.name || !isOfTheFuture(name->queuedAt, nowUSec())) continue;
        destination.warnings.push_back(
            {"a backup is dated in the future",
             fmt::format("{} is dated in the future: it is not taken for the newest, and not removed. If the clock is "
                         "right now, remove it yourself.",
                         file.name)});
    }
}

/// Who may write but not list cannot be told what is there. The upload will say whether that is enough.
awaitable<std::optional<Manifests>> manifestsAt(const Rclone& rclone, const Plan& plan, bool buckets) {
    const auto folder = plan.atDestination({});
    std::string whyNot;
    try {
        auto found = co_await rclone.listIfThere(folder, std::string("*") + manifestSuffix);
        if (!found && buckets) throw Error(noSuchBucket(folder));
        if (!found) found.emplace();
        co_return found;
    } catch (const TransferError& e) {
        if (e.retry()) throw;
        whyNot = e.what();
    }
    logNotice(fmt::format("What lies at the destination is not known. {}", whyNot));
    co_return std::nullopt;
}

fs::path localPath(const Plan& plan, const RemoteFeatures& features) {
    return (fs::path(features.root) / plan.job.destinationPath).lexically_normal();
}

} // namespace

std::string noStreamsTo(const std::string& remote) {
    return fmt::format("The remote \"{}\" cannot take a stream of unknown length (its backend has no PutStream), so "
                       "rclone would store all of it in a temporary folder first. Choose another remote, for example a "
                       "local, SFTP, S3 or B2 one.",
                       remote);
}

std::string noBucketIn(const std::string& remote) {
    return fmt::format("The remote \"{}\" has buckets, and destinationPath names none: it must begin with one, as in "
                       "\"bucket/backups\".",
                       remote);
}

std::string noSuchBucket(const std::string& folder) {
    return fmt::format("There is no bucket for {}. Correct destinationPath, or make the bucket: Holdfast does not.",
                       folder);
}

awaitable<Destination> lookAtDestination(Rclone rclone, Plan plan) {
    Destination destination;
    destination.features = co_await rclone.features(plan.job.remoteName);
    const auto& features = destination.features;
    if (plan.job.streams()) refuseSpooling(plan.job.remoteName, features);
    refuseNoBucket(plan, features);
    if (features.local) destination.depth = mountDepth(localPath(plan, features));

    const auto hurried = rclone.hurried(longestLook);
    const auto found = co_await manifestsAt(hurried, plan, features.buckets);
    if (!found) co_return destination;
    if (plan.job.mirrors()) {
        refuseOthersMirror(plan, *found);
        if (holds(*found, mirrorManifest(plan))) co_await refuseOtherMachinesMirror(hurried, plan);
    }
    compareWithEarlier(plan, *found, destination);
    tellOfTheFuture(plan, *found, destination);
    co_return destination;
}

awaitable<void> demandNoOthersMirror(const Rclone& rclone, const Plan& plan) {
    auto folder = plan.atDestination({});
    auto pattern = "*" + std::string(mirrorSuffix);
    const auto found = co_await rclone.list(std::move(folder), std::move(pattern));
    refuseOthersMirror(plan, found);
}

std::uint32_t mountDepth(const fs::path& path) {
    struct stat info {};
    auto at = path;
    while (at.has_relative_path() && ::stat(at.c_str(), &info) < 0) at = at.parent_path();
    if (::stat(at.c_str(), &info) < 0) return 0;
    const auto device = info.st_dev;
    while (at.has_relative_path() && ::stat(at.parent_path().c_str(), &info) == 0 && info.st_dev == device)
        at = at.parent_path();
    const auto names = at.relative_path();
    return static_cast<std::uint32_t>(std::distance(names.begin(), names.end()));
}

} // namespace holdfast
