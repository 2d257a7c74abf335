#include "source/docker_pause.hpp"

#include "util/async.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <utility>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

constexpr auto longPatience = 30s; // with an engine that was restarted meanwhile

} // namespace

awaitable<void> DockerPause::stop(Engine engine, EngineContainer container) {
    const auto name = container.name;
    auto stopped = co_await stopForRun(std::move(engine), std::move(container), ledger_);
    if (stopped.killed) killed_.push_back(name);
    names_.push_back(name);
    stopped_.push_back(std::move(stopped));
}

awaitable<void> DockerPause::startAll(Engine engine) {
    auto waiting = std::exchange(stopped_, {});
    std::reverse(waiting.begin(), waiting.end());
    std::chrono::microseconds patience = longPatience;
    std::string failures;
    for (int round = 0; round < 2; ++round) {
        failures.clear();
        std::vector<StoppedContainer> failed;
        for (const auto& stopped : waiting) {
            const auto failure = co_await caught(startOne(engine, stopped, patience, round > 0));
            const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
            if (!failure) continue;
            if (toldToStop) std::rethrow_exception(failure);
            failures += (failures.empty() ? "" : " ") + sentenceOf(failure);
            failed.push_back(stopped);
            patience = std::chrono::microseconds::zero();
        }
        waiting = std::move(failed);
    }
    if (!failures.empty()) throw Error(failures);
}

awaitable<void> DockerPause::startOne(Engine engine, StoppedContainer stopped, std::chrono::microseconds patience,
                                      bool again) {
    const auto outcome = co_await startAgain(std::move(engine), stopped.container, patience, again);
    if (outcome == Restart::WasRemoved) removed_.push_back(stopped.container.name);
    if (outcome == Restart::WasStarted) noteDisturber(stopped.container.name);
    ledger_.released(stopped.entry);
}

void DockerPause::noteDisturber(const std::string& name) {
    if (std::find(disturbers_.begin(), disturbers_.end(), name) == disturbers_.end()) disturbers_.push_back(name);
}

} // namespace holdfast
