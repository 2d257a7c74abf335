#pragma once

#include "util/asio.hpp"

#include <optional>
#include <type_traits>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace holdfast {

/// Runs a coroutine to its end on a loop of its own; throws what it throws.
template<typename T>
T runCoroutine(awaitable<T> task) {
    asio::io_context io(1);
    std::exception_ptr failure;
    if constexpr (std::is_void_v<T>) {
        asio::co_spawn(io, std::move(task), [&](std::exception_ptr thrown) { failure = thrown; });
        io.run();
        if (failure) std::rethrow_exception(failure);
    } else {
        std::optional<T> result;
        auto keep = [&]() -> awaitable<void> { result.emplace(co_await std::move(task)); };
        asio::co_spawn(io, keep(), [&](std::exception_ptr thrown) { failure = thrown; });
        io.run();
        if (failure) std::rethrow_exception(failure);
        return std::move(*result);
    }
}

} // namespace holdfast
