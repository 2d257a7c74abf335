#include "bus/views.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

/// Property names beside the members that hold them.
template<typename Visit>
void eachRunProperty(Visit&& visit) {
    visit("Id", &RunView::id);
    visit("Job", &RunView::job);
    visit("Kind", &RunView::kind);
    visit("Unit", &RunView::unit);
    visit("StartedByUid", &RunView::startedByUid);
    visit("State", &RunView::state);
    visit("Phase", &RunView::phase);
    visit("BlockedOn", &RunView::blockedOn);
    visit("Attempt", &RunView::attempt);
    visit("MaxAttempts", &RunView::maxAttempts);
    visit("QueuedAt", &RunView::queuedAt);
    visit("StartedAt", &RunView::startedAt);
    visit("FinishedAt", &RunView::finishedAt);
    visit("BytesDone", &RunView::bytesDone);
    visit("BytesTotal", &RunView::bytesTotal);
    visit("BytesTotalEstimated", &RunView::bytesTotalEstimated);
    visit("Rate", &RunView::rate);
    visit("EtaUSec", &RunView::etaUSec);
    visit("Stalled", &RunView::stalled);
    visit("OutputPath", &RunView::outputPath);
    visit("Result", &RunView::result);
    visit("Error", &RunView::error);
    visit("Metadata", &RunView::metadata);
}

template<typename Visit>
void eachJobProperty(Visit&& visit) {
    visit("Name", &JobView::name);
    visit("Enabled", &JobView::enabled);
    visit("Schedule", &JobView::schedule);
    visit("NextRunAt", &JobView::nextRunAt);
    visit("SourceType", &JobView::sourceType);
    visit("Destination", &JobView::destination);
    visit("LastRunId", &JobView::lastRunId);
    visit("LastRunAt", &JobView::lastRunAt);
    visit("LastRunResult", &JobView::lastRunResult);
    visit("LastSuccessAt", &JobView::lastSuccessAt);
    visit("SchedulePeriod", &JobView::schedulePeriod);
    visit("NextDrillAt", &JobView::nextDrillAt);
    visit("LastDrillAt", &JobView::lastDrillAt);
    visit("LastDrillId", &JobView::lastDrillId);
    visit("LastDrillResult", &JobView::lastDrillResult);
    visit("LastProvenAt", &JobView::lastProvenAt);
    visit("Attention", &JobView::attention);
}

template<typename Value>
sdbus::Variant propertyVariant(const Value& value) {
    return sdbus::Variant{value};
}
sdbus::Variant propertyVariant(const nlohmann::json& value) { return sdbus::Variant{toVariantMap(value)}; }

/// Texts of the metadata that everybody may read: names that Holdfast gave, and words that are always the same.
bool isOpen(const std::string& key) {
    constexpr std::array open{"gitCommitHash", "snapshotName", "backup", "proves", "guid", "gitFsck", "attention"};
    return std::find(open.begin(), open.end(), key) != open.end();
}

/// Instead of an error that is not for everybody.
std::string reasonOf(const std::string& result) {
    static const std::map<std::string, std::string> words{{"done", "There is a remark on the run"},
                                                          {"failed", "The run failed"},
                                                          {"timeout", "The run took longer than it may"},
                                                          {"cancelled", "The run was cancelled"},
                                                          {"interrupted", "The run was interrupted"}};
    const auto found = words.find(result);
    return fmt::format(
        "{}; the details are for root, for who started it, and for who may read the job's configuration.",
        found == words.end() ? "There is a problem" : found->second);
}

/// What the worker knows of a run, finished or not.
void takeState(RunView& view, const RunState& state) {
    view.state = state.state;
    view.phase = state.phase;
    view.attempt = state.attempt;
    view.bytesDone = state.bytesDone;
    view.bytesTotal = state.bytesTotal;
    view.bytesTotalEstimated = state.bytesTotalEstimated;
    view.rate = state.rate;
    view.etaUSec = state.etaUSec;
    view.stalled = state.stalled;
    view.error = busText(state.error);
    view.reason = busText(state.reason);
    view.metadata = state.metadata;
    view.metadata.erase("ground"); // for the next run, and nobody's business
}

} // namespace

RunView viewOf(const Run& run) {
    RunView view;
    view.id = run.plan.id;
    view.job = run.plan.job.name;
    view.kind = run.plan.kind();
    view.unit = run.unit();
    view.startedByUid = run.plan.startedByUid;
    view.blockedOn = busText(run.blockedOn);
    view.maxAttempts = run.plan.settings.maxAttempts;
    view.queuedAt = run.plan.queuedAt;
    view.startedAt = run.startedAt;
    view.finishedAt = run.finishedAt;
    view.outputPath = busText(run.plan.outputPath());
    view.result = run.result;
    takeState(view, run.state);
    return view;
}

RunView viewOf(const HistoryEntry& entry) {
    RunView view;
    view.id = entry.id;
    view.job = busText(entry.job);
    view.kind = entry.kind;
    view.unit = entry.unit;
    view.startedByUid = entry.startedByUid;
    view.maxAttempts = entry.maxAttempts;
    view.queuedAt = entry.queuedAt;
    view.startedAt = entry.result.startedAt;
    view.finishedAt = entry.result.finishedAt;
    view.outputPath = busText(entry.outputPath);
    view.result = entry.result.result;
    takeState(view, entry.result.last);
    return view;
}

bool mayReadAll(const RunView& view, std::optional<std::uint32_t> uid) {
    return uid && (*uid == 0 || *uid == view.startedByUid);
}

RunView withoutDetails(RunView view) {
    if (!view.error.empty()) view.error = view.reason.empty() ? reasonOf(view.result) : view.reason;
    if (view.kind == "restore") view.outputPath.clear();
    auto open = nlohmann::json::object();
    for (const auto& [key, value] : view.metadata.items()) {
        if (value.is_number() || value.is_boolean() || isOpen(key)) open[key] = value;
    }
    view.metadata = std::move(open);
    return view;
}

RunView shownTo(std::optional<std::uint32_t> uid, RunView view) {
    return mayReadAll(view, uid) ? view : withoutDetails(std::move(view));
}

VariantMap toProperties(const RunView& view) {
    VariantMap properties;
    eachRunProperty([&](const char* name, auto member) { properties.emplace(name, propertyVariant(view.*member)); });
    return properties;
}

std::vector<std::string> changedProperties(const RunView& before, const RunView& after) {
    std::vector<std::string> names;
    eachRunProperty([&](const char* name, auto member) {
        if (before.*member != after.*member) names.emplace_back(name);
    });
    return names;
}

std::vector<std::string> attentionOf(const RunView& finished) {
    std::vector<std::string> words;
    const auto found = finished.metadata.find("attention");
    if (found == finished.metadata.end() || !found->is_array()) return words;
    for (const auto& word : *found) {
        if (word.is_string()) words.push_back(busText(word.get<std::string>()));
    }
    return words;
}

LastRun lastRunOf(const RunView& finished) {
    return {finished.id, finished.startedAt > 0 ? finished.startedAt : finished.queuedAt, finished.result};
}

JobView viewOf(const Job& job, const JobFuture& future) {
    JobView view;
    view.name = job.name;
    view.show(job);
    view.show(future);
    return view;
}

void JobView::show(const Job& job) {
    enabled = job.enabled;
    schedule = busText(job.schedule);
    sourceType = toString(job.sourceType());
    destination = busText(job.destination());
}

void JobView::show(const JobPast& past) {
    lastRunId = past.last.id;
    lastRunAt = past.last.at;
    lastRunResult = past.last.result;
    lastSuccessAt = past.succeededAt;
    lastDrillId = past.drill.id;
    lastDrillAt = past.drill.at;
    lastDrillResult = past.drill.result;
    lastProvenAt = past.provenAt;
    attention = past.attention;
}

void JobView::show(const JobFuture& future) {
    nextRunAt = future.nextRunAt;
    schedulePeriod = future.schedulePeriod;
    nextDrillAt = future.nextDrillAt;
}

std::vector<std::string> changedProperties(const JobView& before, const JobView& after) {
    std::vector<std::string> names;
    eachJobProperty([&](const char* name, auto member) {
        if (before.*member != after.*member) names.emplace_back(name);
    });
    return names;
}

} // namespace holdfast
