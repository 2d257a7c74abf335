#include "queue/dispatcher_impl.hpp"

#include "util/format.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace holdfast {

namespace {

AdmissionLimits admissionLimits(const Settings& settings) {
    return {.streaming = settings.maxConcurrentStreaming,
            .copies = settings.maxConcurrentCopies,
            .waiting = settings.maxQueuedRuns};
}

} // namespace

Dispatcher::Dispatcher(asio::io_context& io, const Paths& paths, Systemd& systemd, History& history,
                       const Settings& settings, DispatcherTimes times)
    : impl_(std::make_shared<Impl>(io, paths, systemd, history, settings, times)) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::observe(RunObserver& observer) { impl_->observers.push_back(&observer); }

awaitable<void> Dispatcher::recover() { return impl_->recover(); }

const Run& Dispatcher::enqueue(Plan plan) {
    const auto whose = plan.startedByUid == 0 ? Admission::Room::Root : Admission::Room::Others;
    impl_->admission.checkRoom(plan.lockName(), whose);
    impl_->files.queue(plan);
    Run& run = impl_->add(std::move(plan));
    impl_->enqueue(run);
    return run;
}

bool Dispatcher::waitsForATurn(const std::string& id) const {
    const auto live = impl_->lives.find(id);
    return live != impl_->lives.end() && live->second.waiting && impl_->runs.at(id).plan.scheduled;
}

void Dispatcher::giveWay(const std::string& id) { impl_->giveWay(id); }

awaitable<void> Dispatcher::cancel(std::string id, std::uint32_t byUid) { return impl_->cancel(std::move(id), byUid); }

const std::map<std::string, Run>& Dispatcher::runs() const { return impl_->runs; }

std::uint32_t Dispatcher::activeRuns() const { return static_cast<std::uint32_t>(impl_->admission.active()); }

std::uint32_t Dispatcher::queuedRuns() const { return static_cast<std::uint32_t>(impl_->admission.waiting()); }

void Dispatcher::applySettings(const Settings& settings) { impl_->apply(settings); }

Dispatcher::Impl::Impl(asio::io_context& context, const Paths& where, Systemd& manager, History& past,
                       const Settings& now, DispatcherTimes limits)
    : io(context), paths(where), systemd(manager), history(past), settings(now), times(limits), files(where),
      settler(where, files, manager, limits.retry),
      watch(context, where, [this](const std::string& id) { readState(id); }), queueTimer(context),
      balanceTimer(context) {
    admission.setLimits(admissionLimits(now));
}

Run& Dispatcher::Impl::add(Plan plan) {
    const std::string id = plan.id;
    Run run;
    run.startedAt = plan.startedAt;
    run.plan = std::move(plan);
    lives[id].waitingSince = Clock::now();
    return runs.insert_or_assign(id, std::move(run)).first->second;
}

void Dispatcher::Impl::enqueue(Run& run) {
    lives.at(run.plan.id).waiting = true;
    admission.wait(run.plan.id, run.plan.lockName(), run.plan.streams());
    tellPlaces(false);
    tell(&RunObserver::runAdded, run);
    armQueueTimer();
    admitSoon();
}

void Dispatcher::Impl::admitSoon() {
    if (std::exchange(admissionPosted, true)) return;
    asio::post(io, [self = shared_from_this()] {
        self->admissionPosted = false;
        self->admit();
    });
}

void Dispatcher::Impl::admit() {
    for (const auto& id : admission.admit()) {
        lives.at(id).waiting = false;
        Run& run = runs.at(id);
        noteLongWait(run);
        run.blockedOn.clear();
        run.state.state = "starting";
        run.startedAt = run.plan.startedAt = nowUSec();
        tell(&RunObserver::runChanged, run);
        spawn(follow(id, true), "Run " + id);
    }
    tellPlaces(true);
    armQueueTimer();
}

void Dispatcher::Impl::tellPlaces(bool tellObservers) {
    for (auto& [id, words] : admission.blockedOn()) {
        Run& run = runs.at(id);
        if (run.blockedOn == words) continue;
        run.blockedOn = std::move(words);
        if (tellObservers) tell(&RunObserver::runChanged, run);
    }
}

std::optional<std::string> Dispatcher::Impl::firstImpatient() const {
    return admission.firstWaiting([this](const std::string& id) { return !runs.at(id).plan.scheduled; });
}

void Dispatcher::Impl::armQueueTimer() {
    queueTimer.cancel();
    const auto first = firstImpatient();
    if (!first) return;
    queueTimer.expires_at(lives.at(*first).waitingSince + std::chrono::microseconds(settings.queueTimeout));
    queueTimer.async_wait([weak = weak_from_this()](const auto& error) {
        const auto self = weak.lock();
        if (!error && self) self->endOverdue();
    });
}

void Dispatcher::Impl::endOverdue() {
    const auto limit = std::chrono::microseconds(settings.queueTimeout);
    while (const auto id = firstImpatient()) {
        if (lives.at(*id).waitingSince + limit > Clock::now()) break;
        endWaiting(*id, fmt::format("The run could not start within {}", formatSpan(settings.queueTimeout)));
    }
    tellPlaces(true);
    armQueueTimer();
}

void Dispatcher::Impl::endWaiting(const std::string& id, const std::string& why) {
    const Run& run = runs.at(id);
    admission.leave(id);
    completeSoon(id, resultOf(run, "timeout", fmt::format("QueueTimeout: {}: {}.", why, run.blockedOn)));
}

void Dispatcher::Impl::giveWay(const std::string& id) {
    endWaiting(id, "The run could not start before its job's next turn came");
    tellPlaces(true);
    armQueueTimer();
}

void Dispatcher::Impl::noteLongWait(const Run& run) const {
    const USec waited = nowUSec() - std::min(run.plan.queuedAt, nowUSec());
    if (waited <= settings.queueTimeout) return;
    logNotice(fmt::format("Run {} of job \"{}\" starts after it has waited for {} in the queue, {}.", run.plan.id,
                          run.plan.job.name, formatSpan(waited), run.blockedOn));
}

void Dispatcher::Impl::apply(const Settings& now) {
    settings = now;
    admission.setLimits(admissionLimits(now));
    shareOut();
    admitSoon();
    pruneSoon();
}

awaitable<void> Dispatcher::Impl::cancel(std::string id, std::uint32_t byUid) {
    const auto self = shared_from_this();
    const auto found = runs.find(id);
    if (found == runs.end()) throw NoSuchRun(fmt::format("No run with the id \"{}\" lives.", id));
    const Run& run = found->second;
    const auto live = lives.find(id);
    if (live == lives.end()) throw NotCancelable(fmt::format("Run {} has ended already ({}).", id, run.result));
    if (live->second.cancelling) throw NotCancelable(fmt::format("Run {} is being cancelled already.", id));
    if (live->second.ended) throw NotCancelable(fmt::format("Run {} has ended already and is being cleaned up.", id));

    live->second.cancelling = true;
    live->second.cancelledBy = byUid;
    if (live->second.waiting) {
        admission.leave(id);
        completeSoon(id, resultWithoutWorker(run, {}));
        admitSoon();
        co_return;
    }
    std::exception_ptr failure;
    try {
        if (live->second.hasFolder) files.writeCancel(id, byUid);
        co_await systemd.stop(run.unit());
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) co_return;
    // It may have ended while systemd was asked.
    if (const auto still = lives.find(id); still != lives.end()) {
        still->second.cancelling = false;
        files.withdrawCancel(id);
    }
    std::rethrow_exception(failure);
}

void Dispatcher::Impl::spawn(awaitable<void> work, std::string what) {
    asio::co_spawn(io, std::move(work), [self = shared_from_this(), what = std::move(what)](std::exception_ptr error) {
        if (!error) return;
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& e) {
            logError(fmt::format("{}: {}", what, e.what()));
        }
    });
}

void Dispatcher::Impl::tell(void (RunObserver::*what)(const Run&), const Run& run) {
    for (RunObserver* observer : observers) (observer->*what)(run);
}

} // namespace holdfast
