#include "holdfastctl/alerts.hpp"

#include <nlohmann/json.hpp>

namespace holdfast::ctl {

namespace {

bool isBad(const std::string& result) { return result == "failed" || result == "timeout" || result == "interrupted"; }

bool isOverdue(const nlohmann::json& job, USec now) {
    const auto success = job.value("lastSuccessAt", USec{0});
    const auto period = job.value("schedulePeriod", USec{0});
    return success > 0 && period > 0 && now > success && now - success > 2 * period;
}

} // namespace

std::vector<std::string> alertsOf(const nlohmann::json& job, bool live, USec now) {
    std::vector<std::string> alerts;
    const bool scheduled = job.value("enabled", true) && !job.value("schedule", "").empty();
    if (!live) {
        if (isBad(job.value("lastRunResult", ""))) alerts.emplace_back("last run failed");
        if (job.value("mirrorOpen", false)) alerts.emplace_back("mirror not whole");
        if (scheduled && job.value("lastSuccessAt", USec{0}) == 0) alerts.emplace_back("no backup yet");
        if (scheduled && isOverdue(job, now)) alerts.emplace_back("overdue");
        if (scheduled && job.value("nextRunAt", USec{0}) == 0) alerts.emplace_back("does not start by itself");
    }
    for (const auto& word : job.value("attention", std::vector<std::string>{})) alerts.push_back(word);
    // A later verification may have proven what the drill could not.
    const bool disproven = job.value("lastDrillAt", USec{0}) > job.value("lastProvenAt", USec{0});
    if (disproven && isBad(job.value("lastDrillResult", ""))) alerts.emplace_back("drill failed");
    return alerts;
}

} // namespace holdfast::ctl
