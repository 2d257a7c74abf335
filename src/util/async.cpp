#include "util/async.hpp"

#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace holdfast {

awaitable<std::exception_ptr> caught(awaitable<void> work) {
    try {
        co_await std::move(work);
    } catch (...) {
        co_return std::current_exception();
    }
    co_return nullptr;
}

awaitable<void> withDeadline(awaitable<void> work, std::chrono::microseconds limit, std::string message) {
    using namespace asio::experimental::awaitable_operators;
    const auto first = co_await (caught(std::move(work)) || sleepFor(limit));
    if (first.index() == 1) throw TimedOut(message);
    if (const auto failure = std::get<0>(first)) std::rethrow_exception(failure);
}

awaitable<void> sleepFor(std::chrono::microseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

} // namespace holdfast
