#include "attempts.hpp"

#include "run/memory.hpp"
#include "transfer/rclone.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/format.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

using std::chrono::microseconds;

namespace {

/// 1 s doubling to 30 s (the seed's), less up to a quarter so that runs which failed together do not return together.
microseconds backOff(const Settings& settings, std::uint32_t attempt) {
    const auto doubled = settings.retryDelay << std::min(attempt - 1, 20U);
    const auto delay = std::min(doubled, settings.retryDelayMax);
    std::random_device random;
    std::uniform_int_distribution<USec> jitter(0, delay / 4);
    return microseconds(delay - jitter(random));
}

/// The failure's text if another attempt may help, else it is thrown on.
std::string retryable(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const TransferError& e) {
        if (!e.retry()) throw;
        return sentenceOf(failure);
    }
}

} // namespace

awaitable<void> attempt(const Settings& settings, std::string what, Step step) {
    for (std::uint32_t number = 1;; ++number) {
        const auto failure = co_await caught(step(number));
        if (!failure) co_return;
        const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
        if (number >= settings.maxAttempts || toldToStop) std::rethrow_exception(failure);
        const auto message = retryable(failure);
        const auto pause = backOff(settings, number);
        logWarning(fmt::format("{}: attempt {} of {} failed, the next is in {}: {}", what, number, settings.maxAttempts,
                               formatSpan(static_cast<USec>(pause.count())), message));
        co_await sleepFor(pause);
    }
}

awaitable<void> withinMemory(awaitable<void> step) {
    const auto before = oomKills().value_or(0);
    const auto failure = co_await caught(std::move(step));
    if (!failure) co_return;
    if (oomKills().value_or(0) == before) std::rethrow_exception(failure);
    try {
        std::rethrow_exception(failure);
    } catch (const TransferError& e) {
        throw TransferError(fmt::format("The run ran out of memory; raise limits.memoryMax of the job. ({})", e.what()),
                            false);
    }
}

} // namespace holdfast
