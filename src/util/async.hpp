#pragma once

#include "util/asio.hpp"
#include "util/error.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <string>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

namespace holdfast {

/// A wait that took longer than it may.
class TimedOut : public Error {
    using Error::Error;
};

/// Runs `work`; after `limit` it is cancelled, awaited, and `TimedOut` is thrown with `message`.
awaitable<void> withDeadline(awaitable<void> work, std::chrono::microseconds limit, std::string message);

awaitable<void> sleepFor(std::chrono::microseconds time);

/// Whether a coroutine has been told to stop (SIGTERM): `isCancelled(co_await asio::this_coro::cancellation_state)`.
/// From then on its every co_await throws, but for those of `this_coro`; so this cannot be a coroutine itself. To wait
/// again, for ending things in order: `co_await
/// asio::this_coro::reset_cancellation_state(asio::disable_cancellation())`.
inline bool isCancelled(const asio::cancellation_state& state) {
    return state.cancelled() != asio::cancellation_type::none;
}

/// The exception that `work` ended with, or null. With operator|| of awaitables only a *success* ends the wait for the
/// others; so a failure is made a value.
awaitable<std::exception_ptr> caught(awaitable<void> work);

} // namespace holdfast
