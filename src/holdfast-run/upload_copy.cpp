#include "attempts.hpp"
#include "copy_source.hpp"
#include "ground.hpp"
#include "upload.hpp"

#include "transfer/copy.hpp"
#include "transfer/digest.hpp"
#include "transfer/file_list.hpp"
#include "transfer/stream.hpp"
#include "transfer/undo.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <string_view>
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

/// --links would hold for a destination on a disk of this machine too: there rclone would make links, and set modes and
/// owners of what they point to.
std::vector<std::string> withoutLinks(std::vector<std::string> flags) {
    std::erase(flags, "--links=true");
    return flags;
}

/// Root follows no link that a script has made.
nlohmann::json optionsFor(const Job& job) {
    auto options = job.rcloneOptions;
    if (job.sourceType() == SourceType::Script) options.erase("copy-links");
    return options;
}

CopySpec copySpec(const Backup& backup, const CopySource& from, const Comparison& comparison) {
    const auto& plan = backup.plan;
    CopySpec spec{.from = from.name(),
                  .to = plan.outputPath(),
                  .options = withoutLinks(copyFlags(optionsFor(plan.job))),
                  .stallTimeout = plan.settings.stallTimeout,
                  .killDelay = plan.settings.killDelay};
    spec.options.insert(spec.options.end(), comparison.options.begin(), comparison.options.end());
    return spec;
}

void tellNotices(const std::vector<std::string>& notices, const CopySource& from) {
    for (std::size_t i = 0; i < std::min(notices.size(), namedAtMost); ++i) {
        logNotice("rclone: " + from.plainly(notices[i]));
    }
    if (notices.size() > namedAtMost) {
        logNotice(fmt::format("rclone: {} more such lines.", notices.size() - namedAtMost));
    }
}

awaitable<void> copyOnce(Backup backup, const CopySource& from, CopySpec spec) {
    Reporter& reporter = backup.reporter;
    const TellCounts tell = [&reporter](const CopyCounts& counts) {
        reporter.metadata(
            {{"filesDone", counts.filesDone}, {"filesTotal", counts.filesTotal}, {"filesInFlight", counts.inFlight}});
    };
    const auto rclone = backup.rclone.keeping({from.descriptor()});
    const auto copied = co_await copyFiles(rclone, std::move(spec), reporter.progress(), backup.limiter, tell);
    tellNotices(copied.notices, from);
    reporter.metadata({{"notices", copied.notices.size()}, {"filesInFlight", nlohmann::json::array()}});
}

constexpr std::string_view notUtf8 = "\xEF\xBF\xBD"; // U+FFFD, which a list has for each byte that is none
constexpr std::string_view twoQuotes = "\xE2\x80\x9B\xE2\x80\x9B";
constexpr std::string_view quote = "\xE2\x80\x9B"; // U+201B, with which rclone spells what a remote cannot have

bool isSpelledByRclone(const std::string& path) {
    constexpr std::string_view control = "\xE2\x90"; // U+2400 and so on
    return path.find(notUtf8) != path.npos || path.find(quote) != path.npos || path.find(control) != path.npos ||
           path.ends_with(".rclonelink");
}

/// Whether the file's content or name has changed since, or it is gone. One that cannot be looked at has not, as far as
/// we know.
bool changedSince(const fs::path& file, USec time) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) < 0) return errno == ENOENT && !isSpelledByRclone(file.string());
    const auto changed = static_cast<USec>(info.st_ctim.tv_sec) * usecPerSec;
    return changed + usecPerSec >= time;
}

/// What was there when the copy began, and has not changed since: what has to be at the destination.
FileList unchanged(const FileList& files, const fs::path& folder, USec began) {
    FileList kept;
    for (const auto& [path, file] : files) {
        if (!changedSince(folder / path, began)) kept.emplace(path, file);
    }
    return kept;
}

/// Only the remote's own hashes are free; others cost reading everything back, which a version is worth, but not a
/// mirror of which little has changed.
std::string hashFor(const Job& job, const RemoteFeatures& features) {
    if (job.mirrors() && features.slowHash) return {};
    return chooseHash(features);
}

/// What there is to be copied.
awaitable<void> listSource(Backup backup, const CopySource& from, FileList& files) {
    Listing source;
    source.folder = from.name();
    source.options = listFlags(optionsFor(backup.plan.job));
    const auto rclone = backup.rclone.keeping({from.descriptor()});
    files = co_await listFiles(rclone, std::move(source), longestListing);
    if (files.empty()) {
        throw TransferError(fmt::format("There are no files in {} to copy. Is something not mounted, or does a filter "
                                        "in rcloneOptions leave everything out?",
                                        from.path().string()),
                            false);
    }
}

[[noreturn]] void refuseName(const std::string& path, const char* why) {
    throw Error(
        fmt::format("{} cannot be backed up: {} Rename it, or leave it out with rcloneOptions.exclude.", path, why));
}

bool isMirrorsOwn(const std::string& path) {
    return path.find('/') == path.npos &&
           (path.ends_with(".mirror.manifest.json") || path.ends_with(".mirror.files.jsonl"));
}

/// Whether a file has the very name that the list has.
bool isThere(const fs::path& folder, const std::string& path) {
    std::error_code none;
    return fs::exists(fs::symlink_status(folder / path, none));
}

/// Names that would not come back as they are, and those that are Holdfast's own in a mirror.
void refuseUnfitNames(const Job& job, const FileList& files, const fs::path& folder) {
    for (const auto& [path, ignored] : files) {
        if (job.mirrors() && isMirrorsOwn(path)) refuseName(path, "a mirror's own manifest or list has such a name.");
        if (path.find(twoQuotes) != path.npos && !isThere(folder, path))
            refuseName(path, "its name has the character U+201B, which rclone doubles.");
        // The list says what of a mirror is restored.
        if (job.mirrors() && path.find(notUtf8) != path.npos && !isThere(folder, path))
            refuseName(path, "its name is not UTF-8, and the list of a mirror's files could not tell it.");
    }
}

/// Of what lies at the destination, the files that this copy vouches for. `there`: what there was to be copied.
awaitable<FileList> verified(Backup backup, FileList there, const CopySource& from, USec began, std::string hash) {
    Listing destination;
    destination.folder = backup.plan.outputPath();
    destination.options = withoutLinks(linkFlags(optionsFor(backup.plan.job)));
    destination.hash = hash;
    const auto deadline = hashDeadline(totalSize(there));
    auto found = co_await listFiles(backup.rclone, std::move(destination), deadline);

    const auto wrong = differences(unchanged(there, from.folder(), began), found);
    if (!wrong.empty()) {
        const auto named = std::min(wrong.size(), namedAtMost);
        throw TransferError(
            fmt::format("{} of {} files are not at the destination as they are in {}: {}", wrong.size(), there.size(),
                        from.path().string(),
                        fmt::join(wrong.begin(), wrong.begin() + static_cast<std::ptrdiff_t>(named), " ")),
            true);
    }
    if (backup.plan.job.mirrors()) std::erase_if(found, [&](const auto& file) { return !there.contains(file.first); });
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
    auto manifest = backup.plan.manifestPath();
    auto list = backup.plan.atDestination(backup.plan.fileListName());
    std::string whyNot;
    try {
        co_await backup.rclone.remove(std::move(manifest));
        backup.reporter.metadata({{"mirrorOpened", true}});
        co_await backup.rclone.remove(std::move(list));
    } catch (const TransferError& e) {
        if (e.retry()) throw;
        whyNot = e.what();
    }
    if (whyNot.empty()) co_return;
    throw Error(fmt::format("{} A mirror's manifest goes before its files change. Where nothing may be removed, use "
                            "\"layout\": \"versions\".",
                            whyNot));
}

/// From here on something changes at the destination.
awaitable<void> beginAt(Backup backup) {
    if (backup.plan.job.mirrors())
        co_await withdraw(backup);
    else
        backup.ledger.acquire(folderKind, {{"folder", backup.plan.outputPath()}});
}

awaitable<void> notingChanged(awaitable<void> copying, std::vector<std::string>& changed) {
    try {
        co_await std::move(copying);
    } catch (const ChangedMeanwhile& e) {
        changed = e.files();
        throw;
    }
}

void tellOfChanged(const Backup& backup, const std::vector<std::string>& files) {
    if (files.empty()) return;
    const auto end = files.begin() + static_cast<std::ptrdiff_t>(std::min(files.size(), namedAtMost));
    logNotice(fmt::format("Copied as far as they went when the copy came to them, since they changed meanwhile: {}.",
                          fmt::join(files.begin(), end, ", ")));
    backup.reporter.metadata({{"filesChanged", files.size()}});
}

} // namespace

awaitable<void> uploadCopy(Backup backup, Manifest& manifest) {
    const auto& plan = backup.plan;
    const auto upload = backup.source.upload();
    const auto& tree = std::get<StoredTree>(upload);
    const CopySource from(tree, optionsFor(plan.job));
    const auto destination = co_await backup.destination.answer();
    const auto& features = destination.features;
    for (const auto& warning : destination.warnings) backup.warnings.give(warning);
    from.refuseDestination(features, plan.job.destinationPath);

    const auto hash = hashFor(plan.job, features);
    const auto comparison = comparisonFor(plan.job.rcloneOptions, features);
    std::vector<std::string> changed;
    FileList files;
    bool begun = false;
    // A file that is missing at the destination is brought by copying once more, so the check is a part of each
    // attempt.
    const Step copy = [&](std::uint32_t number) -> awaitable<void> {
        const auto began = tree.still ? std::numeric_limits<USec>::max() : nowUSec();
        FileList there;
        co_await from.inPlainWords(listSource(backup, from, there));
        if (!begun) {
            refuseUnfitNames(plan.job, there, from.folder());
            compareSource(backup, destination, {there.size(), totalSize(there)});
            co_await beginAt(backup);
        }
        begun = true;
        backup.reporter.beginAttempt(number, 0, true);
        auto spec = copySpec(backup, from, comparison);
        spec.asItIs = !changed.empty();
        auto copying = copyOnce(backup, from, std::move(spec));
        auto noting = from.inPlainWords(notingChanged(std::move(copying), changed));
        co_await withinMemory(std::move(noting));
        backup.reporter.streamEnded();
        backup.reporter.phase("verifying");
        files = co_await verified(backup, std::move(there), from, began, hash);
    };
    co_await attempt(plan.settings, "Copy", copy);
    co_await backup.source.doneReading();
    if (plan.job.mirrors()) {
        const Step look = [&](std::uint32_t) { return demandNoOthersMirror(backup.rclone, plan); };
        co_await attempt(plan.settings, "Looking for other mirrors", look);
    }

    const auto bytes = totalSize(files);
    backup.reporter.metadata({{"bytesProcessed", bytes}, {"filesDone", files.size()}, {"filesTotal", files.size()}});
    manifest.copy = Manifest::Copy{plan.job.mirrors() ? "mirror" : "versions", files.size(), bytes, hash};
    manifest.copy->flags = flagsToRestoreWith(plan.job.rcloneOptions);
    manifest.copy->compared = comparison.by;
    manifest.copy->changed = changed;
    tellOfChanged(backup, changed);
    auto list = co_await writeList(backup, std::move(files));
    manifest.objects.push_back(std::move(list));
}

} // namespace holdfast
