#include "attempts.hpp"
#include "upload.hpp"

#include "transfer/copy.hpp"
#include "transfer/digest.hpp"
#include "transfer/file_list.hpp"
#include "transfer/stream.hpp"
#include "transfer/undo.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto longestListing = 6h; // of a folder; with hashes, longer by the time that reading it may take
constexpr std::size_t namedAtMost = 10;

std::chrono::microseconds hashDeadline(std::uint64_t bytes) {
    constexpr std::uint64_t slowestRead = 1024 * 1024; // bytes a second
    return longestListing + std::chrono::seconds(bytes / slowestRead);
}

/// A destination in the source would be copied into itself, deeper with each run.
void refuseCopyIntoItself(const Job& job, const RemoteFeatures& features, const fs::path& from) {
    if (!features.local || job.rcloneOptions.contains("exclude") || job.rcloneOptions.contains("filter")) return;
    const auto to = (fs::path(features.root) / job.destinationPath).lexically_normal();
    const auto [source, destination] = std::mismatch(from.begin(), from.end(), to.begin(), to.end());
    if (source != from.end()) return;
    throw Error(fmt::format("The destination {} lies in the source {}, so every run would copy the earlier ones too. "
                            "Choose another destination, or leave it out with rcloneOptions.exclude.",
                            to.string(), from.string()));
}

/// --links would hold for a destination on a disk of this machine too: there rclone would make links, and set modes and
/// owners of what they point to.
std::vector<std::string> withoutLinks(std::vector<std::string> flags) {
    std::erase(flags, "--links=true");
    return flags;
}

std::string sourceFor(const fs::path& from, const nlohmann::json& rcloneOptions) {
    return rcloneOptions.value("links", false) ? ":local,links=true:" + from.string() : from.string();
}

CopySpec copySpec(const Backup& backup, const fs::path& from) {
    const auto& plan = backup.plan;
    return {.from = sourceFor(from, plan.job.rcloneOptions),
            .to = plan.outputPath(),
            .options = withoutLinks(copyFlags(plan.job.rcloneOptions)),
            .stallTimeout = plan.settings.stallTimeout,
            .killDelay = plan.settings.killDelay};
}

void tellNotices(const std::vector<std::string>& notices) {
    for (std::size_t i = 0; i < std::min(notices.size(), namedAtMost); ++i) logNotice("rclone: " + notices[i]);
    if (notices.size() > namedAtMost) {
        logNotice(fmt::format("rclone: {} more such lines.", notices.size() - namedAtMost));
    }
}

awaitable<void> copyOnce(Backup backup, CopySpec spec) {
    Reporter& reporter = backup.reporter;
    const TellCounts tell = [&reporter](const CopyCounts& counts) {
        reporter.metadata(
            {{"filesDone", counts.filesDone}, {"filesTotal", counts.filesTotal}, {"filesInFlight", counts.inFlight}});
    };
    const auto copied = co_await copyFiles(backup.rclone, std::move(spec), reporter.progress(), backup.limiter, tell);
    tellNotices(copied.notices);
    reporter.metadata({{"notices", copied.notices.size()}, {"filesInFlight", nlohmann::json::array()}});
}

/// Whether the file's content or name has changed since. One that cannot be looked at has not, as far as we know.
bool changedSince(const fs::path& file, USec time) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) < 0) return false;
    const auto changed = static_cast<USec>(info.st_ctim.tv_sec) * usecPerSec;
    return changed + usecPerSec >= time;
}

/// What was there when the copy began, and has not changed since: what has to be at the destination.
FileList unchanged(const FileList& files, const fs::path& from, USec began) {
    FileList kept;
    const bool single = fs::is_regular_file(from);
    for (const auto& [path, file] : files) {
        if (!changedSince(single ? from : from / path, began)) kept.emplace(path, file);
    }
    return kept;
}

/// Only the remote's own hashes are free; others cost reading everything back, which a version is worth, but not a
/// mirror of which little has changed.
std::string hashFor(const Job& job, const RemoteFeatures& features) {
    if (job.mirrors() && features.slowHash) return {};
    return chooseHash(features);
}

/// Of what lies at the destination, the files that this copy vouches for.
awaitable<FileList> verified(Backup backup, fs::path from, USec began, std::string hash) {
    Listing source;
    source.folder = from.string();
    source.options = listFlags(backup.plan.job.rcloneOptions);
    const auto there = co_await listFiles(backup.rclone, std::move(source), longestListing);
    Listing destination;
    destination.folder = backup.plan.outputPath();
    destination.options = withoutLinks(linkFlags(backup.plan.job.rcloneOptions));
    destination.hash = hash;
    const auto deadline = hashDeadline(totalSize(there));
    auto found = co_await listFiles(backup.rclone, std::move(destination), deadline);

    const auto wrong = differences(unchanged(there, from, began), found);
    if (!wrong.empty()) {
        const auto named = std::min(wrong.size(), namedAtMost);
        throw TransferError(
            fmt::format("{} of {} files are not at the destination as they are in {}: {}", wrong.size(), there.size(),
                        from.string(),
                        fmt::join(wrong.begin(), wrong.begin() + static_cast<std::ptrdiff_t>(named), " ")),
            true);
    }
    if (backup.plan.job.mirrors()) std::erase_if(found, [&](const auto& file) { return !there.contains(file.first); });
    if (found.empty()) {
        throw TransferError(fmt::format("There are no files in {} to copy. Is something not mounted, or does a filter "
                                        "in rcloneOptions leave everything out?",
                                        from.string()),
                            false);
    }
    co_return found;
}

/// The list lies beside the manifest, which vouches for it.
awaitable<Manifest::Object> writeList(Backup backup, FileList files) {
    const auto name = backup.plan.fileListName();
    const auto object = backup.plan.atDestination(name);
    const auto text = serialize(files);
    backup.ledger.acquire(objectKind, {{"object", object}});
    const Step write = [&](std::uint32_t) { return backup.rclone.write(object, text); };
    co_await attempt(backup.plan.settings, "List of files", write);
    Digest digest("SHA256");
    digest.add(text);
    co_return Manifest::Object{name, text.size(), digest.finish()};
}

/// The manifest of an earlier copy must not vouch for a mirror that begins to change. It goes before its list does.
/// Told, since nothing can be restored from then on until a run is done.
awaitable<void> withdraw(Backup backup) {
    backup.reporter.metadata({{"mirrorOpened", true}});
    co_await backup.rclone.remove(backup.plan.manifestPath());
    co_await backup.rclone.remove(backup.plan.atDestination(backup.plan.fileListName()));
}

} // namespace

awaitable<void> uploadCopy(Backup backup, Manifest& manifest) {
    const auto& plan = backup.plan;
    const auto upload = backup.source.upload();
    const auto& tree = std::get<StoredTree>(upload);
    const auto& from = tree.path;
    const auto features = co_await backup.features.answer();
    refuseCopyIntoItself(plan.job, features, from);
    if (plan.job.mirrors())
        co_await withdraw(backup);
    else
        backup.ledger.acquire(folderKind, {{"folder", plan.outputPath()}});

    const auto hash = hashFor(plan.job, features);
    FileList files;
    // A file that is missing at the destination is brought by copying once more, so the check is a part of each
    // attempt.
    const Step copy = [&](std::uint32_t number) -> awaitable<void> {
        backup.reporter.beginAttempt(number, 0, true);
        const auto began = tree.still ? std::numeric_limits<USec>::max() : nowUSec();
        auto copying = copyOnce(backup, copySpec(backup, from));
        co_await withinMemory(std::move(copying));
        backup.reporter.streamEnded();
        backup.reporter.phase("verifying");
        files = co_await verified(backup, from, began, hash);
    };
    co_await attempt(plan.settings, "Copy", copy);
    co_await backup.source.doneReading();

    const auto bytes = totalSize(files);
    backup.reporter.metadata({{"bytesProcessed", bytes}, {"filesDone", files.size()}, {"filesTotal", files.size()}});
    manifest.copy = Manifest::Copy{plan.job.mirrors() ? "mirror" : "versions", files.size(), bytes, hash};
    manifest.copy->flags = flagsToRestoreWith(plan.job.rcloneOptions);
    auto list = co_await writeList(backup, std::move(files));
    manifest.objects.push_back(std::move(list));
}

} // namespace holdfast
