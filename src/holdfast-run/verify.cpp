#include "verify.hpp"

#include "attempts.hpp"
#include "stored.hpp"

#include "util/async.hpp"
#include "util/child.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

constexpr auto longestListing = 6h;
constexpr std::uint64_t slowestRead = 1024 * 1024; // bytes a second
constexpr std::size_t namedAtMost = 10;

/// One backup with all that it hangs on, or all that this machine has made of a job, those that cannot be read among
/// them.
VerifiedBackups chosen(const std::vector<StoredBackup>& backups, const Plan& plan) {
    const auto& run = std::get<VerifyTask>(plan.task).backup;
    if (!run.empty()) return chainOf(backups, backupOfRun(backups, run));
    VerifiedBackups ofJob;
    for (const auto& backup : backups) {
        const bool others = backup.manifest && !isMadeBy(*backup.manifest, plan.machine);
        if (isNamedAfter(backup, plan.job.name) && !others) ofJob.push_back(&backup);
    }
    if (!ofJob.empty()) return ofJob;
    throw Error(whyNoneOf(backups, ownerOf(plan), plan.outputPath()));
}

std::uint64_t sizeOf(const VerifiedBackups& backups) {
    std::uint64_t size = 0;
    for (const auto* backup : backups) size += backup->manifest ? storedSize(*backup->manifest) : 0;
    return size;
}

/// No links, if one of them is missing.
VerifiedBackups chainIfWhole(const std::vector<StoredBackup>& backups, const StoredBackup& backup) {
    try {
        return chainOf(backups, backup);
    } catch (const Error&) {
        return {};
    }
}

/// The newest that is whole, with all that it builds on; `failed` has those of `wanted` that are not, or may not be.
std::string newestWhole(const std::vector<StoredBackup>& backups, const VerifiedBackups& wanted,
                        const VerifiedBackups& failed) {
    const StoredBackup* newest = nullptr;
    for (const auto* backup : wanted) {
        if (!backup->manifest || (newest && newest->manifest->startedAt >= backup->manifest->startedAt)) continue;
        const auto isWhole = [&](const StoredBackup* link) {
            return std::find(failed.begin(), failed.end(), link) == failed.end();
        };
        const auto chain = chainIfWhole(backups, *backup);
        if (!chain.empty() && std::all_of(chain.begin(), chain.end(), isWhole)) newest = backup;
    }
    return newest ? newest->manifest->run : "";
}

/// A byte that is not UTF-8 is U+FFFD in a list.
bool hasUnclearName(const FileList& files) {
    return std::any_of(files.begin(), files.end(),
                       [](const auto& file) { return file.first.find("\xEF\xBF\xBD") != std::string::npos; });
}

/// What reads a stream and knows whether it is one. Where ZFS has no such program, hash and size must do.
std::vector<std::string> readerOf(const Manifest& manifest) {
    if (manifest.stream->format == "tar") return {"tar", "--list", "--file=-"};
    if (manifest.stream->format == "zfs-send" && isInstalled("zstream")) return {"zstream", "dump"};
    return {};
}

/// Looks at backups one after the other.
class Verifier {
  public:
    Verifier(const Rclone& rclone, const Plan& plan, const Paths& paths, Reporter& reporter, RateLimiter& limiter,
             bool deep)
        : rclone_(rclone), plan_(plan), paths_(paths), reporter_(reporter), limiter_(limiter), deep_(deep) {}

    awaitable<void> begin(std::uint64_t size) {
        RemoteFeatures features;
        const Step ask = [&](std::uint32_t) -> awaitable<void> {
            features = co_await rclone_.features(plan_.job.remoteName);
        };
        co_await attempt(plan_.settings, "Asking what the remote can do", ask);
        // Some remotes keep no hashes, but read everything to make one. That is what deep is for.
        if (!features.slowHash) hash_ = chooseHash(features);
        left_ = size;
        if (deep_)
            reporter_.beginAttempt(1, left_, false, "reading");
        else
            reporter_.phase("verifying");
    }

    /// Throws `Error` that says what is wrong with it.
    awaitable<void> check(const std::vector<StoredBackup>& all, const StoredBackup& backup) {
        if (!backup.manifest) throw Error(backup.problem);
        baseOf(all, backup);
        const Step look = [&](std::uint32_t) -> awaitable<void> {
            co_await checkObjects(rclone_, plan_, *backup.manifest, hash_);
            if (backup.manifest->copy) co_await compareFiles(*backup.manifest);
        };
        auto what = "Looking at " + backup.manifestName;
        co_await attempt(plan_.settings, std::move(what), look);
        if (deep_ && !backup.manifest->copy) co_await readBack(*backup.manifest);
    }

  private:
    awaitable<void> readBack(const Manifest& manifest) {
        const Step read = [&](std::uint32_t number) {
            if (number > 1) reporter_.beginAttempt(number, left_, false, "reading");
            return receiveStream(rclone_, receiveSpec(plan_, manifest, readerOf(manifest)), reporter_.progress(),
                                 limiter_);
        };
        co_await attempt(plan_.settings, "Reading back", read);
        left_ -= storedSize(manifest);
    }

    /// The files of a copy against its list: names and sizes, and the hashes that the list has, if the remote keeps
    /// them or, to look deeply, computes them from what it reads.
    awaitable<void> compareFiles(const Manifest& manifest) {
        const auto wanted = co_await storedList(rclone_, plan_, paths_, manifest);
        Listing listing{folderOfCopy(plan_, manifest), {}, {}};
        // As a restore would ask for them: not every name in the list is that of a file.
        if (manifest.copy->layout == "mirror" && hasUnclearName(wanted))
            listing.options.push_back(namesFlag(plan_, paths_, wanted));
        if (deep_ || manifest.copy->hash == hash_) listing.hash = manifest.copy->hash;
        const auto deadline = longestListing + std::chrono::seconds(manifest.copy->bytes / slowestRead);
        const auto found = co_await listFiles(rclone_, std::move(listing), deadline);
        const auto wrong = differences(wanted, found);
        if (wrong.empty()) co_return;
        const auto end = wrong.begin() + static_cast<std::ptrdiff_t>(std::min(wrong.size(), namedAtMost));
        throw Error(fmt::format("{} of {} files are not as they were when they were backed up: {}", wrong.size(),
                                wanted.size(), fmt::join(wrong.begin(), end, " ")));
    }

    const Rclone& rclone_;
    const Plan& plan_;
    const Paths& paths_;
    Reporter& reporter_;
    RateLimiter& limiter_;
    const bool deep_;
    std::string hash_;
    std::uint64_t left_ = 0;
};

/// The run that made the job's newest backup; empty if that is one that cannot be used.
std::string newestRun(const std::vector<StoredBackup>& backups, const Owner& owner) {
    try {
        const auto* newest = newestOf(backups, owner, nowUSec());
        return newest ? newest->manifest->run : "";
    } catch (const Error&) {
        return "";
    }
}

/// Copies of which the list has no hashes, since the remote keeps none: there is nothing to compare what is read with.
VerifiedBackups knownBySizeOnly(const VerifiedBackups& backups) {
    VerifiedBackups some;
    std::copy_if(backups.begin(), backups.end(), std::back_inserter(some), [](const StoredBackup* backup) {
        return backup->manifest && backup->manifest->copy && backup->manifest->copy->hash.empty();
    });
    return some;
}

} // namespace

awaitable<void> verifyBackups(Verification all, VerifiedBackups wanted, bool deep) {
    Verifier verifier(all.rclone, all.plan, all.paths, all.reporter, all.limiter, deep);
    co_await verifier.begin(sizeOf(wanted));
    std::vector<std::string> problems;
    VerifiedBackups failed;
    for (const auto* backup : wanted) {
        auto checking = verifier.check(all.backups, *backup);
        const auto failure = co_await caught(std::move(checking));
        const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
        if (toldToStop) co_return;
        if (!failure) continue;
        failed.push_back(backup);
        problems.push_back(fmt::format("{}: {}", backup->manifestName, sentenceOf(failure)));
        logError(problems.back());
    }

    if (deep) all.reporter.streamEnded();
    auto unproven = knownBySizeOnly(wanted);
    if (deep && !unproven.empty()) {
        all.reporter.metadata({{"message", "Of copied files only the sizes were compared, since the remote keeps no "
                                           "hashes. A drill reads them back."}});
    }
    unproven.insert(unproven.end(), failed.begin(), failed.end());
    if (const auto whole = newestWhole(all.backups, wanted, unproven); deep && !whole.empty())
        all.reporter.metadata(
            {{"proves", whole}, {"provesNewest", whole == newestRun(all.backups, ownerOf(all.plan))}});
    all.reporter.metadata({{"backupsVerified", wanted.size()}, {"problems", problems}});
    if (problems.empty()) co_return;
    throw Error(fmt::format("{} of {} backups cannot be restored as they are. {}", problems.size(), wanted.size(),
                            fmt::join(problems, " ")));
}

awaitable<void> verify(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter, RateLimiter& limiter) {
    const Rclone rclone(plan.settings.rcloneConfig);
    const bool deep = std::get<VerifyTask>(plan.task).deep;

    reporter.phase("preprocessing");
    const auto backups = co_await backupsOfPlan(rclone, plan, paths, ledger);
    const auto wanted = chosen(backups, plan);

    const Verification all{plan, paths, rclone, backups, reporter, limiter};
    co_await verifyBackups(all, wanted, deep);
}

} // namespace holdfast
