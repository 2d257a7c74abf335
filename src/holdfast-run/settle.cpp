#include "settle.hpp"

#include "source/source.hpp"
#include "source/target.hpp"
#include "transfer/undo.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/json.hpp"
#include "util/log.hpp"
#include "util/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

/// Every undo is bounded: a cleanup that hangs would keep the machine from shutting down.
constexpr auto undoLimit = 2min;
constexpr auto urgentLimit = 1min;

constexpr auto leftRemark = " Not cleaned up yet: ";

/// Undoes the entry, or does the task that it is.
awaitable<void> carryOut(LedgerEntry entry, LedgerHeader header) {
    bool known = false;
    if (entry.onCommit == OnCommit::Finish) {
        known = co_await finishSourceEntry(entry, header);
    } else {
        known = co_await undoTransferEntry(entry, header);
        if (!known) known = co_await undoSourceEntry(entry, header);
    }
    if (!known)
        throw Error(fmt::format("This version of Holdfast does not know how to give back a \"{}\".", entry.kind));
}

bool isUpload(const LedgerEntry& entry) {
    return entry.kind == objectKind || entry.kind == folderKind || entry.kind == manifestKind;
}

/// Whether what becomes of the entry depends on whether the run is committed.
bool awaitsVerdict(const LedgerEntry& entry) { return isUpload(entry) || entry.onCommit != OnCommit::Undo; }

/// Whether nothing is to be done: the thing stays, or the task is void.
bool isSettled(const LedgerEntry& entry, bool whole) {
    if (whole) return isUpload(entry) || entry.onCommit == OnCommit::Keep;
    return entry.onCommit == OnCommit::Finish;
}

/// Where the thing is, for people.
std::string placeOf(const LedgerEntry& entry) {
    for (const char* name : {"snapshot", "path"}) {
        if (entry.what.contains(name)) return entry.what[name].get<std::string>();
    }
    return entry.what.dump();
}

/// The failure's text, or nothing if the entry is settled.
awaitable<std::string> giveBack(Ledger& ledger, LedgerEntry entry, bool failed) {
    if (failed && entry.onFailure == OnFailure::Keep && !ledger.header().cleanupOnFailure) {
        ledger.kept(entry.number, fmt::format("Kept for you to look at, since cleanupOnFailure is false: the {} {}.",
                                              entry.kind, placeOf(entry)));
        co_return "";
    }
    try {
        co_await withDeadline(carryOut(entry, ledger.header()), undoLimit,
                              fmt::format("Giving back a \"{}\" took too long.", entry.kind));
        ledger.released(entry.number);
        co_return "";
    } catch (const std::exception&) {
        co_return sentenceOf(std::current_exception());
    }
}

/// As giveBack(), but a failure is logged and noted in `left`.
awaitable<void> tryToGiveBack(Ledger& ledger, LedgerEntry entry, bool failed, std::vector<std::string>& left) {
    auto failure = co_await giveBack(ledger, entry, failed);
    if (failure.empty()) co_return;
    logError(fmt::format("Could not give back \"{}\" {}: {}", entry.kind, entry.what.dump(), failure));
    left.push_back(std::move(failure));
}

/// Gives back what others wait for, before the destination is asked about anything: that may take long. Bounded as a
/// whole, so that there is time for the rest; what it leaves is for the next cleanup.
awaitable<void> giveBackUrgent(Ledger& ledger, bool whole, bool failed, std::vector<std::string>& left) {
    const auto end = std::chrono::steady_clock::now() + urgentLimit;
    const auto entries = ledger.outstanding();
    for (const auto& entry : entries) {
        if (!othersWaitFor(entry)) continue;
        if (awaitsVerdict(entry) && isSettled(entry, whole)) {
            ledger.released(entry.number);
        } else if (std::chrono::steady_clock::now() < end) {
            co_await tryToGiveBack(ledger, entry, failed, left);
        } else {
            left.push_back(fmt::format("There was no time left to give back the {}.", entry.kind));
        }
    }
}

void writeResult(const Paths& paths, const std::string& id, RunState last, const Outcome& outcome, USec startedAt,
                 std::vector<std::string> kept) {
    last.state = stateOfResult(outcome.result);
    last.phase = "done";
    last.error = shortened(outcome.error, longestSentence);
    last.stalled = false;
    last.etaUSec = 0;
    const RunResult result{id, outcome.result, std::move(last), startedAt, nowUSec(), std::move(kept)};
    std::filesystem::create_directories(paths.result(id).parent_path());
    replaceFile(paths.result(id), compact(toJson(result)) + "\n", Durability::Durable);
    syncFolder(paths.result(id).parent_path().parent_path());
}

} // namespace

awaitable<bool> settle(const Paths& paths, Ledger& ledger, RunState last, Outcome outcome) {
    std::vector<std::string> left;
    bool whole = outcome.result == "done"; // the worker has just read its manifest back
    std::string unknown;
    try {
        if (!whole) whole = co_await arrived(ledger);
    } catch (const std::exception& e) {
        unknown = e.what();
    }
    co_await giveBackUrgent(ledger, whole, outcome.result != "done", left);
    try {
        if (!whole && unknown.empty()) whole = co_await committed(ledger);
    } catch (const std::exception& e) {
        unknown = e.what();
    }
    if (whole) {
        outcome = {"done", ""};
        ledger.committed();
    }

    for (const auto& entry : ledger.outstanding()) {
        if (othersWaitFor(entry)) continue; // in `left` already
        if (awaitsVerdict(entry) && !unknown.empty()) {
            if (left.empty() || left.back() != unknown) left.push_back(unknown);
        } else if (isSettled(entry, whole)) {
            ledger.released(entry.number);
        } else {
            co_await tryToGiveBack(ledger, entry, outcome.result != "done", left);
        }
    }
    for (const auto& failure : left) outcome.error += leftRemark + failure;
    for (const auto& reason : ledger.keptReasons()) outcome.error += " " + reason;
    if (unknown.empty()) {
        writeResult(paths, ledger.header().id, std::move(last), outcome, ledger.header().startedAt,
                    ledger.keptReasons());
    }
    if (left.empty()) ledger.close();
    co_return left.empty();
}

std::string errorWithoutRemarks(const RunResult& result) {
    std::string error = result.last.error.substr(0, result.last.error.find(leftRemark));
    for (const auto& reason : result.kept) error.resize(std::min(error.find(" " + reason), error.size()));
    return error;
}

void settleWithoutLedger(const Paths& paths, const std::string& id, RunState last, const Outcome& outcome) {
    writeResult(paths, id, std::move(last), outcome, 0, {});
}

} // namespace holdfast
