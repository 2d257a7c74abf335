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
    std::string failures;
    std::chrono::microseconds patience = longPatience;
    while (!stopped_.empty()) {
        const auto stopped = std::move(stopped_.back());
        stopped_.pop_back();
        std::exception_ptr failure;
        try {
            const auto outcome = co_await startAgain(engine, stopped.container, patience);
            if (outcome == Restart::WasRemoved) removed_.push_back(stopped.container.name);
            if (outcome == Restart::WasStarted) noteDisturber(stopped.container.name);
            ledger_.released(stopped.entry);
        } catch (...) {
            failure = std::current_exception();
        }
        const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
        if (!failure) continue;
        if (toldToStop) std::rethrow_exception(failure);
        failures += (failures.empty() ? "" : " ") + sentenceOf(failure);
        patience = std::chrono::microseconds::zero();
    }
    if (!failures.empty()) throw Error(failures);
}

void DockerPause::noteDisturber(const std::string& name) {
    if (std::find(disturbers_.begin(), disturbers_.end(), name) == disturbers_.end()) disturbers_.push_back(name);
}

} // namespace holdfast
