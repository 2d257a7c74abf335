#include "source/docker_stop.hpp"

#include "source/engine_http.hpp"
#include "source/kinds.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto settleLimit = 10s;  // for the engine to notice that a container has ended
constexpr auto undoPatience = 10s; // cleanups are repeated
constexpr int killed = 128 + 9;

nlohmann::json entryOf(const Engine& engine, const EngineContainer& container) {
    return {{"engine", engine.socket().string()}, {"id", container.id}, {"name", container.name}};
}

/// The container, once it is seen not to run; nothing if it was removed.
awaitable<std::optional<EngineContainer>> awaitStopped(Engine engine, EngineContainer container) {
    const auto end = Clock::now() + settleLimit;
    while (true) {
        auto now = co_await engine.container(container.id);
        if (!now || !now->running) co_return now;
        if (now->startedAt != container.startedAt) {
            throw Error(fmt::format("The container {} was started again as soon as it had stopped, by whatever looks "
                                    "after it (a systemd unit, an orchestrator). Stop that before the backup.",
                                    container.name));
        }
        if (Clock::now() > end) {
            throw Error(fmt::format("The container {} does not stop: the engine says that it has, and that it runs.",
                                    container.name));
        }
        co_await sleepFor(200ms);
    }
}

/// Repeats `step` while no engine answers. It is one that may be done twice.
awaitable<void> whileAway(std::function<awaitable<void>()> step, std::chrono::microseconds patience) {
    const auto end = Clock::now() + patience;
    while (true) {
        const auto failure = co_await caught(step());
        if (!failure) co_return;
        try {
            std::rethrow_exception(failure);
        } catch (const EngineAway&) {
            if (Clock::now() > end) throw;
        }
        co_await sleepFor(500ms);
    }
}

/// Whether it ended later than when the run had stopped it, to the second: somebody has started and stopped it since.
bool endedSince(const EngineContainer& now, const std::string& finishedAt) {
    constexpr auto seconds = std::string_view("2026-11-23T12:15:00").size();
    const bool comparable = now.finishedAt.ends_with('Z') && finishedAt.ends_with('Z');
    return comparable && now.finishedAt.substr(0, seconds) > finishedAt.substr(0, seconds);
}

awaitable<void> tryUndo(Engine engine, std::string id, std::string name, std::optional<std::string> finishedAt) {
    const auto now = co_await engine.container(id);
    if (!now) co_return;
    if (finishedAt) {
        if (now->running || endedSince(*now, *finishedAt)) co_return;
    } else if (now->running) {
        // The run was cut off when it had just told the container to stop, or was about to; it may yet.
        co_await engine.stop(*now);
    }
    co_await engine.start(id, name);
}

} // namespace

awaitable<StoppedContainer> stopForRun(Engine engine, EngineContainer container, Ledger& ledger) {
    auto entry = entryOf(engine, container);
    const auto unsure = ledger.acquire(kinds::container, entry);
    co_await engine.stop(container);
    const auto stopped = co_await awaitStopped(engine, container);
    StoppedContainer result;
    result.container = stopped.value_or(container);
    result.killed = stopped && stopped->exitCode == killed;
    entry["finishedAt"] = result.container.finishedAt;
    result.entry = ledger.acquire(kinds::container, std::move(entry));
    ledger.released(unsure);
    co_return result;
}

awaitable<Restart> startAgain(Engine engine, EngineContainer stopped, std::chrono::microseconds patience, bool asked) {
    auto outcome = Restart::WasRemoved;
    std::function<awaitable<void>()> step = [&]() -> awaitable<void> {
        const auto now = co_await engine.container(stopped.id);
        if (!now && !asked) co_return;
        if (!asked && (now->running || now->startedAt != stopped.startedAt)) {
            outcome = Restart::WasStarted;
            co_return;
        }
        outcome = Restart::Started;
        asked = true; // the engine may have done it before it goes away
        co_await engine.start(stopped.id, stopped.name);
    };
    co_await whileAway(std::move(step), patience);
    co_return outcome;
}

awaitable<void> undoStop(nlohmann::json entry) {
    const Engine engine(entry.at("engine").get<std::string>());
    const std::string id = entry.at("id");
    const std::string name = entry.at("name");
    std::optional<std::string> finishedAt;
    if (entry.contains("finishedAt")) finishedAt = entry["finishedAt"];
    std::function<awaitable<void>()> step = [&]() { return tryUndo(engine, id, name, finishedAt); };
    std::exception_ptr failure = co_await caught(whileAway(std::move(step), undoPatience));
    if (!failure) co_return;
    try {
        std::rethrow_exception(failure);
    } catch (const EngineAway& e) {
        throw Error(fmt::format("The container {} may not run again yet. {}", name, e.what()));
    }
}

} // namespace holdfast
