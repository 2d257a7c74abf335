#pragma once

#include "queue/admission.hpp"
#include "queue/demand.hpp"
#include "queue/dispatcher.hpp"
#include "queue/run_files.hpp"
#include "queue/run_watch.hpp"
#include "queue/settler.hpp"
#include "run/ledger.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace holdfast {

/// Private to the dispatcher: dispatcher.cpp has the queue, run_life.cpp what becomes of an admitted run, recovery.cpp
/// what an earlier daemon left. Coroutines hold a reference to it, so it lives as long as they do.
struct Dispatcher::Impl : std::enable_shared_from_this<Dispatcher::Impl> {
    using Clock = std::chrono::steady_clock;

    /// What only the dispatcher needs to know of a run that has not ended.
    struct Live {
        bool waiting = false; ///< in the queue
        Clock::time_point waitingSince;
        bool hasFolder = false; ///< there is somebody to read limits.json and cancel.json
        bool cancelling = false;
        std::uint32_t cancelledBy = 0;
        bool ended = false; ///< its unit is gone, or never came; what is left is to settle it
        bool brokenStateLogged = false;
        bool unwrittenShareLogged = false;
        std::uint64_t share = 0; ///< of the bandwidth, as last written
        Demand demand;
    };

    Impl(asio::io_context& context, const Paths& where, Systemd& manager, History& past, const Settings& now,
         DispatcherTimes limits);

    // --- the queue
    Run& add(Plan plan);
    void enqueue(Run& run);
    /// In a later turn of the loop, once.
    void admitSoon();
    void admit();
    void tellPlaces(bool tellObservers);
    /// Of those that wait and may not for ever.
    [[nodiscard]] std::optional<std::string> firstImpatient() const;
    void armQueueTimer();
    void endOverdue();
    void endWaiting(const std::string& id, const std::string& why);
    void noteLongWait(const Run& run) const;
    void giveWay(const std::string& id);
    void apply(const Settings& now);
    awaitable<void> cancel(std::string id, std::uint32_t byUid);
    /// Gives every active run its share of the bandwidth: at once, or only those whose share is clearly another now.
    enum class Change { Any, Clear };
    void shareOut(Change change = Change::Any);
    void setShare(const std::string& id, std::uint64_t share, Change change);
    void noteDemand(const std::string& id);
    /// Looks at the shares a few times a second, as long as there are runs that share.
    void balance();

    // --- an admitted run
    /// From admission to the end. `toLaunch` false: the unit was started by an earlier daemon.
    awaitable<void> follow(std::string id, bool toLaunch);
    /// Returns why it could not be started; empty if it was.
    awaitable<std::string> launch(std::string id);
    void readState(const std::string& id);
    void unitGone(const std::string& id);
    /// The end of a run that nobody has written a result for.
    [[nodiscard]] RunResult resultOf(const Run& run, const std::string& result, const std::string& error) const;
    [[nodiscard]] RunResult resultWithoutWorker(const Run& run, const std::string& whyNotStarted) const;
    [[nodiscard]] HistoryEntry entryOf(const Run& run, RunResult result) const;
    /// Whether the entry is in the history now; if not, why is in the journal.
    bool recorded(const HistoryEntry& entry);
    /// Lets go of history that need not be kept, a little at a time.
    void pruneSoon();
    awaitable<void> prune();
    /// Records the result, for as long as it takes, and shows the run as finished.
    awaitable<void> complete(std::string id, RunResult result);
    void completeSoon(const std::string& id, RunResult result);
    void showFinished(const std::string& id, const RunResult& result);
    awaitable<void> forgetLater(std::string id);
    awaitable<void> giveBackRest(std::string id, Plan plan);

    // --- after a restart
    awaitable<void> recover();
    bool wasRecorded(const std::string& id) const;
    [[nodiscard]] bool neverBegan(const std::string& id) const;
    /// A run that ended, whole and clean, while nobody watched: true if it is shown and recorded as such.
    bool takeResult(const std::string& id);
    void adopt(const std::string& id, bool unitLives);
    void watchProgress(const std::string& id);
    awaitable<void> settleOrphan(std::string id);
    void recordOrphan(const LedgerHeader& header, const std::optional<RunResult>& result);

    void spawn(awaitable<void> work, std::string what);
    void tell(void (RunObserver::*what)(const Run&), const Run& run);

    asio::io_context& io;
    const Paths& paths;
    Systemd& systemd;
    History& history;
    Settings settings;
    DispatcherTimes times;
    RunFiles files;
    Settler settler;
    RunWatch watch;
    Admission admission;
    std::vector<RunObserver*> observers;
    std::map<std::string, Run> runs;
    std::map<std::string, Live> lives; ///< of those in `runs` that have not ended
    asio::steady_timer queueTimer;
    asio::steady_timer balanceTimer;
    bool balancing = false;
    bool pruning = false;
    bool admissionPosted = false;
};

} // namespace holdfast
