#pragma once

#include "bus/errors.hpp"
#include "util/asio.hpp"
#include "util/sdbus_compat.hpp"

#include <exception>
#include <string>
#include <tuple>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace holdfast {

/// Whom a method answers: noted while the message is at hand, since the method waits afterwards.
using compat::Caller;

/// What a method returns: its out arguments, or an exception that errors.hpp turns into a D-Bus error.
template<typename... Out>
using Reply = awaitable<std::tuple<Out...>>;

/// For a reply that the bus did not take.
void logUnsendable(const std::string& method, const std::exception& why);

/// Replies in the very turn of the loop in which the method ends, so that signals put into the outbox come after.
template<typename... Out>
awaitable<void> answer(sdbus::Result<Out...> result, Reply<Out...> method, std::string name) {
    std::exception_ptr failure;
    try {
        const auto out = co_await std::move(method);
        std::apply([&](const auto&... values) { result.returnResults(values...); }, out);
        co_return;
    } catch (...) {
        failure = std::current_exception();
    }
    try {
        result.returnError(busError(failure, name));
    } catch (const sdbus::Error& e) {
        logUnsendable(name, e);
    }
}

/// Runs a method in turns of the loop of its own, never inside sd-bus's dispatch: it may then remove its own object.
template<typename... Out>
void serve(asio::io_context& io, sdbus::Result<Out...>&& result, Reply<Out...>&& method, std::string name) {
    asio::co_spawn(io, answer(std::move(result), std::move(method), std::move(name)), asio::detached);
}

} // namespace holdfast
