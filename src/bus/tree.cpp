#include "bus/tree.hpp"

#include "bus/object_path.hpp"

namespace holdfast {

namespace {

/// Of a job that is being removed: nothing.
JobPast pastOf(const Services& services, const std::string& name) {
    const auto found = services.jobs.jobs().find(name);
    if (found == services.jobs.jobs().end()) return {};
    const auto& history = services.history;
    const auto place = found->second.destination();
    JobPast past;
    if (const auto last = history.lastOfJob(name)) past.last = lastRunOf(viewOf(*last));
    if (const auto success = history.lastSuccessOfJob(name)) {
        past.succeededAt = success->result.finishedAt;
        past.attention = attentionOf(viewOf(*success));
    }
    if (const auto drill = history.lastDrill(name, place)) past.drill = {drill->run, drill->finishedAt, drill->result};
    if (const auto proof = history.lastProof(name, place)) past.provenAt = proof->finishedAt;
    return past;
}

JobFuture futureOf(const Services& services, const std::string& job) {
    return {services.schedules.nextRunAt(job), services.schedules.period(job), services.drills.nextRunAt(job)};
}

} // namespace

Tree::Tree(asio::io_context& io, sdbus::IConnection& connection, Services& services)
    : services_(services), checks_(io, services, [this] { emitManagerChanges(); }),
      jobRequests_(services, checks_, [this] { syncJobs(); }), runRequests_(services), remoteRequests_(services),
      backupRequests_(services),
      retentionRequests_(services), handlers_{io,           connection,      services,        jobRequests_,
                                              runRequests_, remoteRequests_, backupRequests_, retentionRequests_,
                                              checks_},
      manager_(handlers_), jobs_(handlers_, [this](const std::string& job) { return pastOf(services_, job); }) {
    syncJobs();
    for (const auto& [id, run] : services_.dispatcher.runs()) showRun(run);
    services_.dispatcher.observe(*this);
    services_.callers.prepareWith([this](sd_bus_message* call) {
        const bool asksForAll =
            ::sd_bus_message_is_method_call(call, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects") > 0;
        return !asksForAll || jobs_.knowSomePasts();
    });
    services_.schedules.onChange([this](const std::string& job) { showNextRun(job); });
    services_.drills.onChange([this](const std::string& job) { showNextRun(job); });
}

void Tree::syncJobs() {
    const auto& stored = services_.jobs.jobs();
    for (const auto& name : jobs_.names()) {
        if (!stored.contains(name)) jobs_.remove(name);
    }
    for (const auto& [name, job] : stored) syncJob(job);
    services_.schedules.follow(stored);
    services_.drills.follow(stored);
    emitManagerChanges();
}

void Tree::syncJob(const Job& job) {
    const JobFuture future = futureOf(services_, job.name);
    if (jobs_.contains(job.name))
        jobs_.show(job, future);
    else
        jobs_.add(viewOf(job, future));
}

void Tree::showNextRun(const std::string& job) {
    jobs_.show(job, futureOf(services_, job));
    emitManagerChanges();
}

void Tree::reload() {
    jobRequests_.reloadNow();
    checkJobs();
}

void Tree::runAdded(const Run& run) { showRun(run); }

void Tree::runStarted(const Run& run) {
    showRun(run);
    services_.outbox.put(
        [this, id = run.plan.id, job = run.plan.job.name] { manager_.emitRunStarted(id, runPath(id), job); });
}

void Tree::runChanged(const Run& run) { showRun(run); }

void Tree::runFinished(const Run& run) {
    const RunView& view = showRun(run).view();
    jobs_.readPastAgain(view.job);
    if (run.plan.backsUp() && view.result == "done") checks_.worked(view.job);
    services_.outbox.put([this, id = view.id, job = view.job, result = view.result] {
        manager_.emitRunFinished(id, runPath(id), job, result);
    });
}

void Tree::runForgotten(const Run& run) {
    const auto node = runs_.extract(run.plan.id);
    if (!node.empty()) services_.outbox.put([object = node.mapped()] { object->emitRemoved(); });
    emitManagerChanges();
}

RunObject& Tree::showRun(const Run& run) {
    auto& object = runs_[run.plan.id];
    if (object) {
        object->show(viewOf(run));
    } else {
        jobs_.knowPast(run.plan.job.name);
        object = std::make_shared<RunObject>(handlers_, viewOf(run));
        services_.outbox.put([object] { object->emitAdded(); });
    }
    emitManagerChanges();
    return *object;
}

void Tree::emitManagerChanges() {
    if (std::exchange(managerChanged_, true)) return;
    services_.outbox.put([this] {
        managerChanged_ = false;
        manager_.emitChanges();
    });
}

} // namespace holdfast
