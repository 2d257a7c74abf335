#include "bus/tree.hpp"

#include "bus/object_path.hpp"

#include <vector>

namespace holdfast {

namespace {

JobPast pastOf(const History& history, const Job& job) {
    JobPast past;
    if (const auto last = history.lastOfJob(job.name)) past.last = lastRunOf(viewOf(*last));
    if (const auto success = history.lastSuccessOfJob(job.name)) past.succeededAt = success->result.finishedAt;
    if (const auto drill = history.lastDrill(job.name, job.destination())) {
        past.drill = {drill->run, drill->finishedAt, drill->result};
    }
    if (const auto proof = history.lastProof(job.name, job.destination())) past.provenAt = proof->finishedAt;
    return past;
}

JobFuture futureOf(const Services& services, const std::string& job) {
    return {services.schedules.nextRunAt(job), services.schedules.period(job), services.drills.nextRunAt(job)};
}

} // namespace

Tree::Tree(asio::io_context& io, sdbus::IConnection& connection, Services& services)
    : services_(services), jobRequests_(services, [this] { syncJobs(); }), runRequests_(services),
      remoteRequests_(services), backupRequests_(services),
      retentionRequests_(services), handlers_{io,           connection,      services,        jobRequests_,
                                              runRequests_, remoteRequests_, backupRequests_, retentionRequests_},
      manager_(handlers_) {
    syncJobs();
    for (const auto& [id, run] : services_.dispatcher.runs()) showRun(run);
    services_.dispatcher.observe(*this);
    services_.schedules.onChange([this](const std::string& job) { showNextRun(job); });
    services_.drills.onChange([this](const std::string& job) { showNextRun(job); });
}

void Tree::syncJobs() {
    const auto& stored = services_.jobs.jobs();
    std::vector<std::string> gone;
    for (const auto& [name, object] : jobs_) {
        if (!stored.contains(name)) gone.push_back(name);
    }
    for (const auto& name : gone) letGo(name);
    for (const auto& [name, job] : stored) syncJob(job);
    services_.schedules.follow(stored);
    services_.drills.follow(stored);
    emitManagerChanges();
}

void Tree::syncJob(const Job& job) {
    const auto found = jobs_.find(job.name);
    if (found == jobs_.end()) return addJob(job);
    found->second->show(viewOf(job, pastOf(services_.history, job), futureOf(services_, job.name)));
    emitJobChanges(found->second);
}

void Tree::addJob(const Job& job) {
    finishLettingGo(job.name); // a path can have one object only
    JobView view = viewOf(job, pastOf(services_.history, job), futureOf(services_, job.name));
    const auto object = std::make_shared<JobObject>(handlers_, std::move(view));
    jobs_.emplace(job.name, object);
    services_.outbox.put([weak = std::weak_ptr(object)] {
        if (const auto alive = weak.lock()) alive->emitAdded();
    });
}

void Tree::showNextRun(const std::string& job) {
    const auto found = jobs_.find(job);
    if (found == jobs_.end()) return;
    JobView shown = found->second->view();
    shown.show(futureOf(services_, job));
    found->second->show(std::move(shown));
    emitJobChanges(found->second);
}

void Tree::emitJobChanges(const std::shared_ptr<JobObject>& object) {
    services_.outbox.put([weak = std::weak_ptr(object)] {
        if (const auto alive = weak.lock()) alive->emitChanges();
    });
}

void Tree::letGo(const std::string& job) {
    leaving_.insert(jobs_.extract(job));
    services_.outbox.put([this, job] { finishLettingGo(job); });
}

void Tree::finishLettingGo(const std::string& job) {
    const auto node = leaving_.extract(job);
    if (!node.empty()) node.mapped()->emitRemoved();
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
    rememberLastRun(view.job);
    services_.outbox.put([this, id = view.id, job = view.job, result = view.result] {
        manager_.emitRunFinished(id, runPath(id), job, result);
    });
}

void Tree::runForgotten(const Run& run) {
    const auto node = runs_.extract(run.plan.id);
    if (!node.empty()) services_.outbox.put([object = node.mapped()] { object->emitRemoved(); });
    emitManagerChanges();
}

void Tree::rememberLastRun(const std::string& job) {
    const auto found = jobs_.find(job);
    const auto stored = services_.jobs.jobs().find(job);
    if (found == jobs_.end() || stored == services_.jobs.jobs().end()) return;
    JobView shown = found->second->view();
    shown.show(pastOf(services_.history, stored->second));
    found->second->show(std::move(shown));
    emitJobChanges(found->second);
}

RunObject& Tree::showRun(const Run& run) {
    auto& object = runs_[run.plan.id];
    if (object) {
        object->show(viewOf(run));
    } else {
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
