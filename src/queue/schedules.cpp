#include "queue/schedules.hpp"

#include "job/schedule.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/json.hpp"
#include "util/log.hpp"

#include <exception>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

constexpr std::string_view suffix = ".timer";
constexpr std::size_t maxRecord = 64 * 1024 * 1024;

/// Of a job, all that its timer depends on.
struct Schedule {
    std::string expression;
    USec randomizedDelay = 0;
    bool operator==(const Schedule&) const = default;
};

using Wanted = std::map<std::string, Schedule>; ///< by job

/// Tells one timer from another, so it has all that is in it.
std::string describe(const std::string& what, const std::string& job, const Schedule& schedule) {
    const auto delay = static_cast<double>(schedule.randomizedDelay) / double{usecPerSec};
    const auto later = schedule.randomizedDelay == 0 ? std::string() : fmt::format(", up to {}s later", delay);
    return fmt::format("{} of backup job {} ({}{})", what, job, schedule.expression, later);
}

void logEscaped(const std::string& what, const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        logError(fmt::format("{}: {}", what, e.what()));
    }
}

/// schedules.json: the description of the timer that was made last, by job.
class Record {
  public:
    explicit Record(std::filesystem::path file) : file_(std::move(file)) {}

    void load() {
        if (std::exchange(loaded_, true)) return;
        try {
            if (const auto text = readFileIfThere(file_, maxRecord)) {
                nlohmann::json::parse(*text).at("timers").get_to(timers_);
            }
        } catch (const std::exception& e) {
            timers_.clear();
            logWarning(fmt::format("{} cannot be read, so runs that were missed are not made up: {}", file_.string(),
                                   e.what()));
        }
    }
    [[nodiscard]] const std::map<std::string, std::string>& timers() const { return timers_; }
    /// Durable when it returns. Throws `std::system_error`.
    void replace(std::map<std::string, std::string> timers) {
        const nlohmann::json json{{"version", 1}, {"timers", timers}};
        replaceFile(file_, compact(json), Durability::Durable);
        timers_ = std::move(timers);
    }

  private:
    std::filesystem::path file_;
    std::map<std::string, std::string> timers_;
    bool loaded_ = false;
};

} // namespace

/// Coroutines hold a reference to it, so it lives as long as they do.
struct Schedules::Impl : std::enable_shared_from_this<Schedules::Impl> {
    using Clock = std::chrono::steady_clock;

    /// A timer that systemd has.
    struct Present {
        std::string description;
        Elapses elapses;
    };

    Impl(asio::io_context& context, const Paths& where, Timers& manager, TimerKind ofTimers, BackOff backOff)
        : io(context), paths(where), timers(manager), kind(std::move(ofTimers)), firstRetry(backOff), retry(backOff),
          record(kind.record), idle(context, Clock::time_point::max()), retryTimer(context) {}

    [[nodiscard]] std::string timerOf(const std::string& job) const {
        return fmt::format("{}{}{}", kind.prefix, job, suffix);
    }
    [[nodiscard]] std::optional<std::string> jobOf(std::string_view unit) const {
        if (!unit.starts_with(kind.prefix) || !unit.ends_with(suffix)) return std::nullopt;
        return std::string(unit.substr(kind.prefix.size(), unit.size() - kind.prefix.size() - suffix.size()));
    }
    [[nodiscard]] std::string description(const std::string& job, const Schedule& schedule) const {
        return describe(kind.what, job, schedule);
    }

    // --- making the timers what they should be; one coroutine at a time
    void workSoon();
    awaitable<void> work();
    awaitable<void> pass();
    awaitable<void> look();
    awaitable<void> stopOthers(const Wanted& target);
    void forgetStamps(const Wanted& target);
    awaitable<void> startMissing(const Wanted& target);
    awaitable<void> startOne(std::string job, Schedule schedule);
    void failed(const std::string& job, std::exception_ptr why);
    void show();
    void logNew(const std::map<std::string, std::string>& before) const;
    void retryLater();
    awaitable<void> untilIdle();

    // --- following them
    void changed(const std::string& unit);
    awaitable<void> refresh(std::string job);
    awaitable<void> readNext(std::string job);
    void makeAnewAfterClockChange(const std::string& job);
    void lose(const std::string& job);
    void tell(const std::string& job) const {
        if (nextChanged) nextChanged(job);
    }

    asio::io_context& io;
    const Paths& paths;
    Timers& timers;
    const TimerKind kind;
    BackOff firstRetry;
    BackOff retry;
    Record record;
    std::function<void(const std::string&)> nextChanged;
    Wanted wanted;
    std::map<std::string, Present> present;      ///< by job
    std::set<std::string> refreshing;            ///< jobs whose timer is about to be asked
    std::map<std::string, std::string> failures; ///< by job; "" is systemd itself; of the pass that is under way
    std::map<std::string, std::string> standing; ///< of the last pass, by job
    std::string inHand;                          ///< the job whose timer is being stopped or started
    bool looked = false;
    bool dirty = false;
    bool working = false;
    asio::steady_timer idle; ///< never elapses; cancelled when the work is done
    asio::steady_timer retryTimer;
};

TimerKind backupTimers(const Paths& paths) {
    return {"holdfast-job@", "Schedule", paths.schedules(), [](const Job& job) { return job.schedule; }};
}

TimerKind drillTimers(const Paths& paths) {
    return {"holdfast-drill@", "Drills", paths.drillSchedules(),
            [](const Job& job) { return job.drill ? job.drill->schedule : std::string(); }};
}

Schedules::Schedules(asio::io_context& io, const Paths& paths, Timers& timers, TimerKind kind, BackOff retry)
    : impl_(std::make_shared<Impl>(io, paths, timers, std::move(kind), retry)) {
    timers.onChange([weak = std::weak_ptr(impl_)](const std::string& unit) {
        if (const auto impl = weak.lock()) impl->changed(unit);
    });
}

Schedules::~Schedules() = default;

void Schedules::onChange(std::function<void(const std::string& job)> handler) {
    impl_->nextChanged = std::move(handler);
}

void Schedules::follow(const std::map<std::string, Job>& jobs) {
    Wanted wanted;
    for (const auto& [name, job] : jobs) {
        const auto schedule = impl_->kind.schedule(job);
        const bool blank = schedule.find_first_not_of(" \t") == std::string::npos;
        if (job.enabled && !blank) wanted.emplace(name, Schedule{schedule, job.randomizedDelay});
    }
    if (impl_->looked && wanted == impl_->wanted) return;
    impl_->wanted = std::move(wanted);
    impl_->workSoon();
}

void Schedules::lookAgain() {
    impl_->looked = false;
    impl_->workSoon();
}

awaitable<void> Schedules::settled(std::chrono::milliseconds limit) {
    const auto impl = impl_;
    try {
        co_await withDeadline(impl->untilIdle(), limit, "The timers are not set up yet.");
    } catch (const TimedOut&) { // they follow all the same
    }
}

const std::map<std::string, std::string>& Schedules::failures() const { return impl_->standing; }

USec Schedules::nextRunAt(const std::string& job) const {
    const auto timer = impl_->present.find(job);
    return timer == impl_->present.end() ? 0 : timer->second.elapses.next;
}

USec Schedules::period(const std::string& job) const {
    const auto timer = impl_->present.find(job);
    if (timer == impl_->present.end()) return 0;
    const auto& [last, next] = timer->second.elapses;
    return last > 0 && next > last ? next - last : 0;
}

awaitable<void> Schedules::Impl::untilIdle() {
    const auto self = shared_from_this();
    while (working) co_await idle.async_wait(asio::as_tuple(asio::use_awaitable));
}

void Schedules::Impl::workSoon() {
    dirty = true;
    if (std::exchange(working, true)) return;
    retryTimer.cancel();
    asio::co_spawn(io, work(), [self = shared_from_this()](std::exception_ptr failure) {
        if (!failure) return;
        // Nothing of work() should throw; if it does, whoever waits for it goes on, and so does the next change.
        self->working = false;
        self->idle.cancel();
        logEscaped("The schedules are not seen to", failure);
    });
}

awaitable<void> Schedules::Impl::work() {
    const auto self = shared_from_this();
    while (std::exchange(dirty, false)) {
        const auto before = std::exchange(failures, {});
        std::exception_ptr failure;
        try {
            co_await pass();
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) failed("", failure);
        logNew(before);
        show();
    }
    working = false;
    idle.cancel();
    if (failures.empty())
        retry = firstRetry;
    else
        retryLater();
}

awaitable<void> Schedules::Impl::pass() {
    record.load();
    if (!looked) co_await look();
    const Wanted target = wanted;
    co_await stopOthers(target);
    try {
        forgetStamps(target);
    } catch (...) {
        failed("", std::current_exception()); // schedules are worth more than the record of them
    }
    co_await startMissing(target);
}

/// What an earlier daemon has left, or what somebody has made of it.
awaitable<void> Schedules::Impl::look() {
    const auto found = co_await timers.list(timerOf("*"));
    std::map<std::string, Present> now;
    for (const auto& timer : found) {
        const auto job = jobOf(timer.unit);
        if (!job) continue;
        const auto known = present.find(*job);
        now.emplace(*job, Present{timer.description, known == present.end() ? Elapses{} : known->second.elapses});
    }
    const auto before = std::exchange(present, std::move(now));
    looked = true;
    for (const auto& [job, timer] : before) {
        if (!present.contains(job)) tell(job);
    }
    std::vector<std::string> jobs;
    for (const auto& [job, timer] : present) jobs.push_back(job);
    for (const auto& job : jobs) co_await readNext(job);
}

awaitable<void> Schedules::Impl::stopOthers(const Wanted& target) {
    std::vector<std::string> others;
    for (const auto& [job, timer] : present) {
        const auto schedule = target.find(job);
        if (schedule == target.end() || description(job, schedule->second) != timer.description) others.push_back(job);
    }
    for (const auto& job : others) {
        inHand = job;
        std::exception_ptr failure;
        try {
            co_await timers.stop(timerOf(job));
        } catch (...) {
            failure = std::current_exception();
        }
        inHand.clear();
        if (failure)
            failed(job, failure);
        else
            lose(job);
    }
}

/// The record is written before a timer is made: if we die in between, the next daemon makes it, and without a stamp.
void Schedules::Impl::forgetStamps(const Wanted& target) {
    const auto& before = record.timers();
    std::map<std::string, std::string> after;
    for (const auto& [job, schedule] : target) after.emplace(job, description(job, schedule));
    if (after == before) return;
    for (const auto& [job, ignored] : before) {
        if (!after.contains(job) && !present.contains(job)) removeFile(paths.timerStamp(timerOf(job)));
    }
    for (const auto& [job, made] : after) {
        const auto old = before.find(job);
        const bool same = old != before.end() && old->second == made;
        if (!same && !present.contains(job)) removeFile(paths.timerStamp(timerOf(job)));
    }
    record.replace(std::move(after));
}

/// What fails for one job keeps no other from its timer.
awaitable<void> Schedules::Impl::startMissing(const Wanted& target) {
    for (const auto& [job, schedule] : target) {
        if (present.contains(job)) continue;
        inHand = job;
        std::exception_ptr failure;
        try {
            co_await startOne(job, schedule);
        } catch (...) {
            failure = std::current_exception();
        }
        inHand.clear();
        if (failure) failed(job, failure);
    }
}

awaitable<void> Schedules::Impl::startOne(std::string job, Schedule schedule) {
    TimerSpec spec;
    spec.unit = timerOf(job);
    spec.description = this->description(job, schedule);
    spec.onCalendar = toOnCalendar(schedule.expression);
    spec.randomizedDelay = schedule.randomizedDelay;
    const std::string description = spec.description;
    co_await timers.start(std::move(spec));
    present.insert_or_assign(job, Present{description, {}});
    co_await readNext(job);
}

void Schedules::Impl::failed(const std::string& job, std::exception_ptr why) {
    try {
        std::rethrow_exception(why);
    } catch (const std::exception& e) {
        failures[job] = job.empty() ? fmt::format("Schedules: {}", e.what())
                                    : fmt::format("The schedule of job \"{}\" is not in force: {}", job, e.what());
    }
}

void Schedules::Impl::show() {
    auto now = failures;
    now.erase("");
    const auto before = std::exchange(standing, std::move(now));
    if (before == standing) return;
    std::set<std::string> jobs;
    for (const auto* some : {&before, &std::as_const(standing)}) {
        for (const auto& [job, why] : *some) jobs.insert(job);
    }
    for (const auto& job : jobs) tell(job);
}

/// A failure that lasts is said once.
void Schedules::Impl::logNew(const std::map<std::string, std::string>& before) const {
    for (const auto& [job, why] : failures) {
        const auto known = before.find(job);
        if (known == before.end() || known->second != why) logError(why);
    }
}

void Schedules::Impl::retryLater() {
    retryTimer.expires_after(retry.next());
    retryTimer.async_wait([weak = weak_from_this()](const auto& error) {
        const auto self = weak.lock();
        if (!error && self) self->workSoon();
    });
}

void Schedules::Impl::changed(const std::string& unit) {
    const auto job = jobOf(unit);
    if (!job || !present.contains(*job) || !refreshing.insert(*job).second) return;
    asio::co_spawn(io, refresh(*job), [job = *job](std::exception_ptr failure) {
        if (failure) logEscaped(fmt::format("When job \"{}\" runs next is not known", job), failure);
    });
}

awaitable<void> Schedules::Impl::refresh(std::string job) {
    const auto self = shared_from_this();
    refreshing.erase(job); // what changes from here on is asked for again
    bool gone = false;
    std::string failure;
    try {
        const auto found = co_await timers.list(timerOf(job));
        gone = found.empty();
    } catch (const std::exception& e) {
        failure = e.what();
    }
    if (!failure.empty()) logWarning(fmt::format("When job \"{}\" runs next is not known: {}", job, failure));
    if (!gone) {
        co_await readNext(job);
    } else if (job != inHand && present.contains(job)) {
        logNotice(fmt::format("The timer of job \"{}\" was stopped, so the job does not start by itself; "
                              "\"holdfastctl reload\" sets it up again.",
                              job));
        lose(job);
    }
}

/// Never throws: of a timer that vanishes, a signal tells.
awaitable<void> Schedules::Impl::readNext(std::string job) {
    std::string failure;
    Elapses elapses;
    try {
        elapses = co_await timers.elapses(timerOf(job));
    } catch (const std::exception& e) {
        failure = e.what();
    }
    if (!failure.empty()) logWarning(fmt::format("When job \"{}\" runs next is not known: {}", job, failure));
    const auto timer = present.find(job);
    if (timer == present.end()) co_return;
    const auto before = std::exchange(timer->second.elapses, elapses);
    if (before.last != elapses.last || before.next != elapses.next) tell(job);
    if (elapses.last == 0) makeAnewAfterClockChange(job);
}

/// systemd tells of every timer when the clock was set, and reckons anew. But one that has never elapsed it reckons
/// from its start, which may lie in the future then: such a timer would sleep through all runs until that time. Its
/// stamp file is as old as it is.
void Schedules::Impl::makeAnewAfterClockChange(const std::string& job) {
    const auto stamp = paths.timerStamp(timerOf(job));
    std::error_code none;
    const auto started = std::filesystem::last_write_time(stamp, none);
    if (none || started <= std::filesystem::file_time_type::clock::now()) return;
    logNotice(fmt::format("The clock was set back, so the timer of job \"{}\" is made anew.", job));
    std::filesystem::remove(stamp, none);
    present.at(job).description.clear(); // as of no schedule that is wanted
    workSoon();
}

void Schedules::Impl::lose(const std::string& job) {
    present.erase(job);
    tell(job);
}

} // namespace holdfast
