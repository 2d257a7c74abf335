#pragma once

#include "job/job.hpp"
#include "queue/settler.hpp"
#include "run/paths.hpp"
#include "unit/timers.hpp"
#include "util/asio.hpp"
#include "util/time.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

namespace holdfast {

/// What the timers are for, and whence their schedules come.
struct TimerKind {
    std::string prefix;                                  ///< of the units' names, with "@"
    std::string what;                                    ///< how a timer's description begins
    std::filesystem::path record;                        ///< tells which timer was made last for each job
    std::function<std::string(const Job& job)> schedule; ///< empty: none
};

/// `holdfast-job@<name>.timer`, by the job's schedule: its backups.
TimerKind backupTimers(const Paths& paths);
/// `holdfast-drill@<name>.timer`, by the schedule of its drill.
TimerKind drillTimers(const Paths& paths);

/// Sees to it that every enabled job with a schedule has a timer in systemd, `holdfast-job@<name>.timer`, and no other
/// job has one; or, of another kind, another timer. It starts the service of that name, which asks the daemon for a
/// run, so that schedules go on while the daemon is away. A timer that is right is never touched: it would lose what it
/// knows.
///
/// What was missed while the machine was off is made up by systemd, once: a timer is persistent, and finds in its stamp
/// file when it elapsed last. A schedule that is new or was changed has missed nothing; so schedules.json tells which
/// timer was made last for each job, and the stamp of any other is removed before its timer is made.
class Schedules {
  public:
    /// Both must outlive it, and `io` must not run any more once it is destroyed.
    Schedules(asio::io_context& io, const Paths& paths, Timers& timers, TimerKind kind,
              BackOff retry = {.first = std::chrono::seconds(1)});
    ~Schedules();

    /// `handler` is called when the next run of a job is another than before, or it is known why there is none.
    void onChange(std::function<void(const std::string& job)> handler);

    /// The jobs as they are now. The timers follow in the background, for as long as it takes; what fails is logged.
    void follow(const std::map<std::string, Job>& jobs);
    /// As follow(), and puts right what somebody else has done to the timers.
    void lookAgain();
    /// Waits until the timers are those of the jobs, or have failed to be, but not longer than `limit`.
    awaitable<void> settled(std::chrono::milliseconds limit);

    /// Why a job's schedule is not in force, by job; of those whose timer could not be made.
    [[nodiscard]] const std::map<std::string, std::string>& failures() const;
    /// When the timer of the job elapses; 0 without one.
    [[nodiscard]] USec nextRunAt(const std::string& job) const;
    /// The time between when it elapsed last and when it does next; 0 without both.
    [[nodiscard]] USec period(const std::string& job) const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace holdfast
