#pragma once

#include <filesystem>
#include <string>

namespace holdfast {

/// Where things lie. One struct, so that tests can put the whole tree elsewhere.
struct Paths {
    std::filesystem::path state = "/var/lib/holdfast";
    std::filesystem::path runtime = "/run/holdfast";
    std::filesystem::path config = "/etc/holdfast";
    std::filesystem::path timerStamps = "/var/lib/systemd/timers"; ///< systemd's: when each timer elapsed last

    [[nodiscard]] std::filesystem::path jobs() const { return config / "jobs"; }
    [[nodiscard]] std::filesystem::path settings() const { return config / "holdfast.json"; }
    [[nodiscard]] std::filesystem::path history() const { return state / "history.db"; }
    /// Which timer was made last for each job.
    [[nodiscard]] std::filesystem::path schedules() const { return state / "schedules.json"; }
    [[nodiscard]] std::filesystem::path drillSchedules() const { return state / "drill-schedules.json"; }
    [[nodiscard]] std::filesystem::path timerStamp(const std::string& unit) const {
        return timerStamps / ("stamp-" + unit);
    }
    [[nodiscard]] std::filesystem::path queue() const { return state / "queue"; }
    /// A run's plan from StartJob until its end is in the history.
    [[nodiscard]] std::filesystem::path queued(const std::string& id) const { return queue() / (id + ".json"); }
    [[nodiscard]] std::filesystem::path ledgers() const { return state / "ledger"; }
    [[nodiscard]] std::filesystem::path ledger(const std::string& id) const { return ledgers() / (id + ".jsonl"); }
    /// Durable per-run folder: the result.
    [[nodiscard]] std::filesystem::path result(const std::string& id) const {
        return state / "runs" / id / "result.json";
    }
    /// What the next run of a job may build on.
    [[nodiscard]] std::filesystem::path base(const std::string& job) const { return state / "bases" / (job + ".json"); }
    [[nodiscard]] std::filesystem::path cache() const { return state / "cache"; }
    /// Scratch of one run, ledgered.
    [[nodiscard]] std::filesystem::path scratch(const std::string& id) const { return cache() / id; }

    [[nodiscard]] std::filesystem::path live(const std::string& id) const { return runtime / "runs" / id; }
    [[nodiscard]] std::filesystem::path plan(const std::string& id) const { return live(id) / "plan.json"; }
    [[nodiscard]] std::filesystem::path limits(const std::string& id) const { return live(id) / "limits.json"; }
    [[nodiscard]] std::filesystem::path cancel(const std::string& id) const { return live(id) / "cancel.json"; }
    [[nodiscard]] std::filesystem::path runState(const std::string& id) const { return live(id) / "state.json"; }
    [[nodiscard]] std::filesystem::path probe(const std::string& id) const { return runtime / "probes" / id; }
};

} // namespace holdfast
