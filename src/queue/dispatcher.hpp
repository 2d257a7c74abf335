#pragma once

#include "history/history.hpp"
#include "job/settings.hpp"
#include "queue/errors.hpp"
#include "queue/settler.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "run/state.hpp"
#include "unit/systemd.hpp"
#include "util/asio.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace holdfast {

/// A run as the bus shows it: from StartJob until five minutes after its end.
struct Run {
    Plan plan;
    RunState state;
    std::string blockedOn; ///< in words; empty when it waits for nothing
    USec startedAt = 0;
    USec finishedAt = 0;
    std::string result; ///< empty while it lives

    [[nodiscard]] std::string unit() const { return "holdfast-run-" + plan.id + ".service"; }
    [[nodiscard]] bool finished() const { return !result.empty(); }
};

/// Who is told of what happens to runs. Calls come from the program's one thread, and may not call back.
class RunObserver {
  public:
    virtual ~RunObserver() = default;
    virtual void runAdded(const Run& run) = 0;
    virtual void runStarted(const Run& run) = 0;
    /// Any of state, phase, progress, blockedOn has changed; the worker already limits how often.
    virtual void runChanged(const Run& run) = 0;
    virtual void runFinished(const Run& run) = 0;
    virtual void runForgotten(const Run& run) = 0;
};

/// For how long things are waited for that nobody configures. Tests shorten them.
struct DispatcherTimes {
    BackOff retry;                                                     ///< of cleaning up, and of writing the history
    std::chrono::milliseconds shownAfterEnd = std::chrono::minutes(5); ///< a finished run stays in runs()
};

/// Takes plans to their end: writes them durably, admits them in order, has systemd start their units, follows
/// state.json, and records the result. Survives its own death: all that it knows is in files (docs/ARCHITECTURE.md).
class Dispatcher {
  public:
    /// All but `settings` must outlive it, and `io` must not run any more once it is destroyed.
    Dispatcher(asio::io_context& io, const Paths& paths, Systemd& systemd, History& history, const Settings& settings,
               DispatcherTimes times = {});
    ~Dispatcher();

    /// `observer` must outlive the dispatcher's work.
    void observe(RunObserver& observer);

    /// Finds again what was queued, what runs, and what died; call once, before the bus name is taken. Runs that died
    /// are cleaned up in the background. Throws `Error`, `std::system_error`.
    awaitable<void> recover();

    /// Queues the plan durably, and starts it in a later turn of the loop, so that the caller replies first.
    /// Throws `AlreadyQueued`, `QueueFull`, `std::system_error` (nothing was queued then).
    const Run& enqueue(Plan plan);

    /// Whether it is a run that a timer has started and that still waits in the queue.
    [[nodiscard]] bool waitsForATurn(const std::string& id) const;
    /// Ends such a run, since its job's next turn has come.
    void giveWay(const std::string& id);

    /// Accepts the cancel: a waiting run ends at once, a running one when its unit is gone and cleaned.
    /// Throws `NoSuchRun`, `NotCancelable` (has ended, or is being cancelled already).
    awaitable<void> cancel(std::string id, std::uint32_t byUid);

    /// Live and lately finished runs.
    [[nodiscard]] const std::map<std::string, Run>& runs() const;
    [[nodiscard]] std::uint32_t activeRuns() const;
    [[nodiscard]] std::uint32_t queuedRuns() const;

    /// New limits hold for runs that wait, and the bandwidth's shares at once.
    void applySettings(const Settings& settings);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace holdfast
