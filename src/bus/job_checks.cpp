#include "bus/job_checks.hpp"

#include "util/log.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t checkedAtOnce = 500; // each a document of 64 KiB at most
constexpr auto lookAgainAfter = 5min;

std::size_t hashOfDocument(const Job& job) { return std::hash<std::string>{}(job.text); }

} // namespace

JobChecks::JobChecks(asio::io_context& io, Services& services, std::function<void()> changed)
    : io_(io), services_(services), changed_(std::move(changed)), again_(io) {}

awaitable<void> JobChecks::look() { return lookAt(enabledJobs()); }

void JobChecks::lookSoon() { spawn(enabledJobs()); }

JobChecks::Names JobChecks::enabledJobs() const {
    Names names;
    for (const auto& [name, job] : services_.jobs.jobs()) {
        if (job.enabled) names.push_back(name);
    }
    return names;
}

void JobChecks::spawn(Names jobs) {
    asio::co_spawn(io_, lookAt(std::move(jobs)), [](std::exception_ptr failure) {
        if (!failure) return;
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& e) {
            logWarning(fmt::format("It could not be looked whether the jobs can do what they say: {}", e.what()));
        }
    });
}

awaitable<void> JobChecks::lookAt(Names jobs) {
    const auto before = faults_;
    const auto sorted = bySource(jobs);
    for (const auto& [source, some] : sorted) co_await lookAtAlike(some);
    std::erase_if(faults_, [&](const auto& fault) { return !services_.jobs.jobs().contains(fault.first); });
    for (const auto& [job, fault] : faults_) {
        const auto known = before.find(job);
        if (known == before.end() || known->second != fault)
            logWarning(fmt::format("Job \"{}\" cannot do what it says: {}", job, fault.why));
    }
    if (faults_ != before) changed_();
    lookAgainLater();
}

std::map<SourceType, JobChecks::Names> JobChecks::bySource(const Names& jobs) const {
    std::map<SourceType, Names> sorted;
    for (const auto& name : jobs) {
        const auto job = services_.jobs.jobs().find(name);
        if (job != services_.jobs.jobs().end() && job->second.enabled) sorted[job->second.sourceType()].push_back(name);
    }
    return sorted;
}

/// Of one kind of source, so that the probe's sandbox needs to let through no more than that.
awaitable<void> JobChecks::lookAtAlike(Names jobs) {
    for (std::size_t begin = 0; begin < jobs.size(); begin += checkedAtOnce) {
        const auto first = jobs.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto last = jobs.begin() + static_cast<std::ptrdiff_t>(std::min(begin + checkedAtOnce, jobs.size()));
        Names some(first, last);
        co_await lookAtSome(std::move(some));
    }
}

awaitable<void> JobChecks::lookAtSome(Names jobs) {
    std::map<std::string, std::size_t> asked; // as they were then: they may change meanwhile
    auto documents = nlohmann::json::array();
    for (const auto& name : jobs) {
        const auto job = services_.jobs.jobs().find(name);
        if (job == services_.jobs.jobs().end() || !job->second.enabled) continue;
        asked.emplace(name, hashOfDocument(job->second));
        documents.push_back(job->second.document());
    }
    if (documents.empty()) co_return;
    nlohmann::json question = nlohmann::json::object();
    question["ask"] = "jobs";
    question["rcloneConfig"] = services_.demandSettings().rcloneConfig.string();
    question["jobs"] = std::move(documents);
    const nlohmann::json answer = co_await services_.prober.ask(std::move(question));
    for (const auto& [name, document] : asked) take(name, document, answer.at("faults"));
}

void JobChecks::take(const std::string& job, std::size_t document, const nlohmann::json& faults) {
    const auto found = faults.find(job);
    if (found == faults.end())
        faults_.erase(job);
    else
        faults_[job] = {document, fmt::format("{}", fmt::join(found->get<Names>(), " "))};
}

void JobChecks::lookAgainLater() {
    if (faults_.empty()) return;
    again_.expires_after(lookAgainAfter);
    again_.async_wait([this](const auto& error) {
        if (error) return;
        Names names;
        for (const auto& [job, fault] : faults_) names.push_back(job);
        spawn(std::move(names));
    });
}

void JobChecks::worked(const std::string& job) {
    if (faults_.erase(job) > 0) changed_();
}

std::vector<BrokenJob> JobChecks::found() const {
    std::vector<BrokenJob> found;
    for (const auto& [name, fault] : faults_) {
        const auto job = services_.jobs.jobs().find(name);
        if (job == services_.jobs.jobs().end() || !job->second.enabled || hashOfDocument(job->second) != fault.document)
            continue;
        found.push_back({jobFileName(name), fault.why});
    }
    return found;
}

std::vector<BrokenJob> whatIsBroken(const Services& services, const JobChecks& checks) {
    std::vector<BrokenJob> all;
    if (!services.settingsFault.empty()) all.push_back({services.paths.settings().filename(), services.settingsFault});
    for (const auto& broken : services.jobs.broken()) all.push_back(broken);
    for (const auto& broken : checks.found()) all.push_back(broken);
    for (const auto* timers : {&services.schedules, &services.drills}) {
        for (const auto& [job, why] : timers->failures()) {
            const auto file = jobFileName(job);
            const bool known = std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.file == file; });
            if (!known) all.push_back({file, why});
        }
    }
    return all;
}

} // namespace holdfast
