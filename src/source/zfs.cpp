#include "source/zfs.hpp"

#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/spool.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

constexpr auto format = "zfs-send";

std::string snapshotName(const Plan& plan, const ZfsConfig& config) {
    return fmt::format("{}-{}-{}", config.snapshotName.value_or(plan.job.name), utcStamp(nowUSec()),
                       plan.id.substr(0, 8));
}

std::uint64_t numberIn(const std::string& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

} // namespace

ZfsSource::ZfsSource(const Plan& plan, const Paths& paths, Ledger& ledger)
    : plan_(plan), paths_(paths), config_(std::get<ZfsConfig>(plan.job.source)),
      ledger_(ledger), snapshot_{config_.poolName, snapshotName(plan, config_), config_.recursive},
      chain_(plan, paths) {}

awaitable<void> ZfsSource::prepare() {
    co_await refuseWhatCannotWork();
    version_ = co_await askVersion();
    co_await chain_.check();
    co_await takeSnapshot();
    guid_ = co_await zfsProperty("guid", snapshot_.full());
    announceBase();
    estimate_ = co_await estimate();
    if (!config_.streamDirect) co_await writeCacheFile();
}

awaitable<void> ZfsSource::refuseWhatCannotWork() {
    options_ = co_await askSendOptions();
    if (config_.raw && !options_.has('w')) {
        throw Error(
            "The installed ZFS cannot send raw streams (zfs send -w). Set raw to false in the job, or upgrade ZFS.");
    }
    Words words{"list", "-H", "-o", "name", snapshot_.dataset};
    auto doing = "back up the ZFS dataset " + snapshot_.dataset;
    co_await runZfs(std::move(words), std::move(doing));
    co_await refuseEncrypted();
}

/// zfs would say so only when it sends, and an upload that fails is tried again.
awaitable<void> ZfsSource::refuseEncrypted() {
    const bool knowsEncryption = options_.has('w');
    if (config_.raw || !knowsEncryption) co_return;
    Words words{"get", "-H", "-p", "-t", "filesystem,volume", "-o", "name,value", "keystatus", snapshot_.dataset};
    if (config_.recursive) words.insert(words.begin() + 1, "-r");
    auto doing = "ask for the keys of " + snapshot_.dataset;
    const auto listing = co_await runZfs(std::move(words), std::move(doing));
    for (const auto& line : parseProperties(listing)) {
        if (line.value == "unavailable") {
            throw Error(fmt::format("{} is encrypted and its key is not loaded: set raw to true in the job to send it "
                                    "as it is, or load its key.",
                                    line.name));
        }
        if (config_.recursive && line.value == "available") {
            throw Error(fmt::format("{} is encrypted, and datasets are sent recursively only as they are then: set "
                                    "raw to true in the job.",
                                    line.name));
        }
    }
}

/// A snapshot is kept after a failure, if the job says so, only once it is made. The hold never is: it would be in the
/// way of whoever looks at the snapshot and destroys it.
awaitable<void> ZfsSource::takeSnapshot() {
    const auto unmade = ledger_.acquire(kinds::snapshot, snapshotEntry(snapshot_));
    co_await makeSnapshot(snapshot_, plan_.id);
    bookmarked_ = co_await bookmark();
    const auto onCommit = config_.incremental && !bookmarked_ ? OnCommit::Keep : OnCommit::Undo;
    ledger_.acquire(kinds::snapshot, snapshotEntry(snapshot_), OnFailure::Keep, onCommit);
    ledger_.released(unmade);
    ledger_.acquire(kinds::hold, snapshotEntry(snapshot_));
    co_await holdSnapshot(snapshot_, plan_.id);
}

/// A bookmark takes no room on the pool, so it is the better base; but recursive streams do not start from one.
awaitable<bool> ZfsSource::bookmark() {
    if (!config_.incremental || config_.recursive) co_return false;
    const bool known = co_await askBookmarks();
    if (!known) co_return false;
    const auto guid = co_await zfsProperty("guid", snapshot_.full());
    const auto entry =
        ledger_.acquire(kinds::bookmark, bookmarkEntry(snapshot_, guid), OnFailure::Undo, OnCommit::Keep);
    try {
        co_await makeBookmark(snapshot_);
        co_return true;
    } catch (const Error&) {
        // The pool is too old for bookmarks: the snapshot itself is kept.
        ledger_.released(entry);
    }
    co_return false;
}

/// The newest entry, so that it is the first to be finished: the base is handed over while the snapshot is still held.
void ZfsSource::announceBase() {
    std::optional<ZfsBase> next;
    if (config_.incremental) next = asBase();
    if (!next && !chain_.hasRecord()) return;
    auto entry = baseEntry(paths_.base(plan_.job.name), snapshot_.dataset, plan_.startedAt, next, chain_.recorded());
    ledger_.acquire(kinds::base, std::move(entry), OnFailure::Undo, OnCommit::Finish);
}

ZfsBase ZfsSource::asBase() const {
    ZfsBase base;
    base.run = plan_.id;
    base.snapshot = snapshot_;
    base.bookmarked = bookmarked_;
    base.guid = guid_;
    base.raw = config_.raw;
    base.depth = chain_.depth();
    base.manifest = plan_.manifestPath();
    base.startedAt = plan_.startedAt;
    return base;
}

/// What zfs says; where it cannot, about what the data takes on disk.
awaitable<std::uint64_t> ZfsSource::estimate() {
    if (options_.estimates()) {
        auto words = sendWords();
        words.insert(words.begin() + 1, {"-n", "-P"});
        const auto answer = co_await tryZfs(std::move(words));
        const auto size = parseEstimate(answer.out);
        if (answer.ok && size) co_return *size;
    }
    if (chain_.base()) co_return 0;
    // A recursive stream has all the earlier snapshots too, of all datasets.
    std::string property = "referenced";
    std::string of = snapshot_.full();
    if (snapshot_.recursive) {
        property = "used";
        of = snapshot_.dataset;
    }
    const auto value = co_await zfsProperty(property, of);
    co_return numberIn(value);
}

Words ZfsSource::sendWords() const {
    Words words{"send"};
    if (config_.recursive) words.emplace_back("-R");
    if (config_.raw) words.emplace_back("-w");
    // Large blocks, compressed blocks and embedded data stay as they lie on disk: a smaller stream, for less work.
    for (const char option : {'L', 'c', 'e'}) {
        if (options_.has(option)) words.push_back({'-', option});
    }
    if (const auto& base = chain_.base()) {
        // A recursive stream has the snapshots in between too, as a full one would.
        words.emplace_back(config_.recursive ? "-I" : "-i");
        words.push_back(base->full());
    }
    words.push_back(snapshot_.full());
    return words;
}

/// The file has its name only when it is whole.
awaitable<void> ZfsSource::writeCacheFile() {
    const auto folder = paths_.scratch(plan_.id);
    ledger_.acquire(kinds::scratchFolder, {{"path", folder.string()}});
    makePrivateFolder(folder);

    const fs::path file = folder / "stream.zfs";
    const fs::path beside = file.string() + runSuffix(plan_.id);
    const auto unfinished = ledger_.acquire(kinds::cacheFile, {{"path", beside.string()}});
    auto argv = sendWords();
    argv.insert(argv.begin(), "zfs");
    co_await runIntoFile(std::move(argv), beside);
    ledger_.acquire(kinds::cacheFile, {{"path", file.string()}}, OnFailure::Keep);
    fs::rename(beside, file);
    syncFolder(folder);
    ledger_.released(unfinished);
    cacheFile_ = file;
}

Upload ZfsSource::upload() {
    if (!cacheFile_.empty()) return StoredFile{cacheFile_, format};
    Producer producer;
    producer.argv = sendWords();
    producer.argv.insert(producer.argv.begin(), "zfs");
    producer.totalBytes = estimate_;
    producer.estimated = true;
    producer.format = format;
    return producer;
}

nlohmann::json ZfsSource::metadata() const {
    auto message = fmt::format("Made the snapshot {}.", snapshot_.full());
    if (const auto& base = chain_.base()) {
        message += fmt::format(" What has changed since {} is sent.", base->full());
    } else if (!chain_.whyFull().empty()) {
        message += " " + chain_.whyFull();
    }
    return {{"snapshotName", snapshot_.full()}, {"message", std::move(message)}};
}

nlohmann::json ZfsSource::manifest() const {
    const auto& base = chain_.base();
    return {{"dataset", snapshot_.dataset},
            {"snapshot", snapshot_.name},
            {"guid", guid_},
            {"baseGuid", base ? base->guid : ""},
            {"baseRun", base ? base->run : ""},
            {"depth", chain_.depth()},
            {"recursive", snapshot_.recursive},
            {"raw", config_.raw}};
}

} // namespace holdfast
