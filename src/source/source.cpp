#include "source/source.hpp"

#include "source/docker.hpp"
#include "source/docker_stop.hpp"
#include "source/flash.hpp"
#include "source/git_lock.hpp"
#include "source/kinds.hpp"
#include "source/plain.hpp"
#include "source/scratch.hpp"
#include "source/script.hpp"
#include "source/target.hpp"
#include "source/zfs.hpp"
#include "source/zfs_base.hpp"
#include "source/zfs_snapshot.hpp"

#include <stdexcept>

namespace holdfast {

std::unique_ptr<Source> makeSource(const Plan& plan, const Paths& paths, Ledger& ledger) {
    switch (plan.job.sourceType()) {
    case SourceType::None:
        return std::make_unique<PlainSource>(plan);
    case SourceType::Flash:
        return std::make_unique<FlashSource>(plan, paths, ledger);
    case SourceType::Zfs:
        return std::make_unique<ZfsSource>(plan, paths, ledger);
    case SourceType::Script:
        return std::make_unique<ScriptSource>(plan, paths, ledger);
    case SourceType::Docker:
        return std::make_unique<DockerSource>(plan, ledger);
    }
    throw std::logic_error("There is no such source.");
}

bool othersWaitFor(const LedgerEntry& entry) {
    return entry.kind == kinds::container || entry.kind == kinds::volumeArrival;
}

awaitable<bool> undoSourceEntry(const LedgerEntry& entry, const LedgerHeader& header) {
    const auto path = [&] { return std::filesystem::path(entry.what.at("path").get<std::string>()); };

    if (entry.kind == kinds::gitLock)
        undoGitLock(entry.what, header.id);
    else if (entry.kind == kinds::scratch || entry.kind == kinds::scriptOutput || entry.kind == kinds::cacheFile)
        removeOfRun(path(), header.id);
    else if (entry.kind == kinds::scratchFolder)
        removeIfEmpty(path(), header.id);
    else if (entry.kind == kinds::snapshot)
        co_await undoSnapshot(entry.what, header.id);
    else if (entry.kind == kinds::hold)
        co_await undoHold(entry.what, header.id);
    else if (entry.kind == kinds::scriptUnit)
        co_await undoScriptUnit(entry.what, header.id);
    else if (entry.kind == kinds::container)
        co_await undoStop(entry.what);
    else if (entry.kind == kinds::bookmark)
        co_await undoBookmark(entry.what);
    else
        co_return co_await undoTargetEntry(entry, header);
    co_return true;
}

awaitable<bool> finishSourceEntry(const LedgerEntry& entry, const LedgerHeader& header) {
    if (entry.kind != kinds::base) co_return false;
    co_await handOver(entry.what, header.job);
    co_return true;
}

} // namespace holdfast
