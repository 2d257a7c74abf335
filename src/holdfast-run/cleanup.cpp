#include "settle.hpp"
#include "worker.hpp"

#include "run/ledger_file.hpp"
#include "run/memory.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

constexpr std::size_t maxFile = 1024 * 1024;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

/// What the worker last said of itself; nothing after a reboot, as it lies in tmpfs.
RunState lastState(const Paths& paths, const std::string& id) {
    try {
        return readRunState(paths.runState(id)).value_or(RunState());
    } catch (const std::exception& e) {
        logWarning(fmt::format("The run's last state cannot be read: {}", e.what()));
        return {};
    }
}

/// How the run ended, if that was settled before. A result that cannot be read is none, and is written anew.
std::optional<RunResult> settledResult(const Paths& paths, const std::string& id) {
    try {
        return readRunResult(paths.result(id));
    } catch (const std::exception& e) {
        logWarning(fmt::format("The run's result cannot be read: {}", e.what()));
        return std::nullopt;
    }
}

std::optional<Outcome> cancelledBy(const Paths& paths, const std::string& id) {
    const auto text = readFileIfThere(paths.cancel(id), maxFile);
    if (!text) return std::nullopt;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    const auto uid = json.is_object() ? json.value("byUid", std::uint32_t{0}) : 0;
    return Outcome{"cancelled", fmt::format("Cancelled by user {}.", uid)};
}

/// Why the worker did not settle its run itself. systemd tells an ExecStopPost how the unit ended (systemd.exec(5),
/// "$SERVICE_RESULT").
Outcome whyEnded(const Paths& paths, const std::string& id, const std::string& verdict) {
    if (const auto cancel = cancelledBy(paths, id)) return *cancel;
    const auto service = environment("SERVICE_RESULT");
    const bool signalled = environment("EXIT_CODE") == "killed" || environment("EXIT_CODE") == "dumped";
    if (service == "timeout") return {"timeout", "The run took longer than limits.runtimeMax of its job allows."};
    if (service == "oom-kill" || (signalled && oomKills().value_or(0) > 0)) {
        return {"failed", "The run ran out of memory; raise limits.memoryMax of the job."};
    }
    if (!verdict.empty()) return {"failed", verdict};
    if (signalled) {
        return {"interrupted", fmt::format("The worker was killed by SIG{}.", environment("EXIT_STATUS"))};
    }
    if (service.empty())
        return {"interrupted",
                "The run was cut off: the machine went down, or there was too little memory even to clean up."};
    if (service == "exit-code") {
        return {"failed",
                fmt::format("The worker could not begin (it exited with {}); the journal of its unit tells why.",
                            environment("EXIT_STATUS"))};
    }
    return {"interrupted", "The run's unit was stopped."};
}

} // namespace

awaitable<int> cleanUp(const Paths& paths, std::string id) {
    const auto settled = settledResult(paths, id);
    if (!hasLedger(paths.ledger(id))) {
        if (!settled) settleWithoutLedger(paths, id, lastState(paths, id), whyEnded(paths, id, ""));
        co_return EXIT_SUCCESS;
    }
    auto ledger = Ledger::open(paths.ledger(id));
    Outcome outcome = whyEnded(paths, id, ledger.lastVerdict());
    auto last = lastState(paths, id);
    if (settled) {
        // Only what could not be given back then is left to do; how the run ended does not change.
        outcome = {settled->result, errorWithoutRemarks(*settled)};
        last = settled->last;
    }
    const bool clean = co_await settle(paths, ledger, std::move(last), std::move(outcome));
    co_return clean ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace holdfast
