#pragma once

#include "util/asio.hpp"
#include "util/error.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <string>

namespace holdfast {

/// A wait that took longer than it may.
class TimedOut : public Error {
    using Error::Error;
};

/// Runs `work`; after `limit` it is cancelled, awaited, and `TimedOut` is thrown with `message`.
awaitable<void> withDeadline(awaitable<void> work, std::chrono::microseconds limit, std::string message);

awaitable<void> sleepFor(std::chrono::microseconds time);

/// Whether this coroutine has been told to stop (SIGTERM).
awaitable<bool> cancelled();

/// From here on this coroutine may wait again although it was cancelled: for ending things in order.
awaitable<void> ignoreCancellation();

/// The exception that `work` ended with, or null. With operator|| of awaitables only a *success* ends the wait for the
/// others; so a failure is made a value.
awaitable<std::exception_ptr> caught(awaitable<void> work);

} // namespace holdfast
