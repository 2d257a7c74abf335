#pragma once

#include "util/asio.hpp"
#include "util/sdbus_compat.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

/// Method calls on the bus that a coroutine can wait for. Like sdbus_compat.hpp only for programs that link sdbus-c++.
namespace holdfast {

namespace detail {

template<typename Result>
struct BusReply {
    using Signature = void(std::exception_ptr, Result);

    template<typename Handler>
    static auto handler(std::shared_ptr<Handler> done) {
        return [done](compat::ReplyError error, Result result) {
            finish(*done, error ? std::make_exception_ptr(sdbus::Error(*error)) : nullptr, std::move(result));
        };
    }

    template<typename Handler>
    static void finish(Handler& done, std::exception_ptr error, Result result) {
        // Posted, because the coroutine may let go of the proxy whose reply this is.
        const auto executor = asio::get_associated_executor(done);
        asio::post(executor, [done = std::move(done), error, result = std::move(result)]() mutable {
            std::move(done)(error, std::move(result));
        });
    }
};

template<>
struct BusReply<void> {
    using Signature = void(std::exception_ptr);

    template<typename Handler>
    static auto handler(std::shared_ptr<Handler> done) {
        return [done](compat::ReplyError error) {
            finish(*done, error ? std::make_exception_ptr(sdbus::Error(*error)) : nullptr);
        };
    }

    template<typename Handler>
    static void finish(Handler& done, std::exception_ptr error) {
        const auto executor = asio::get_associated_executor(done);
        asio::post(executor, [done = std::move(done), error]() mutable { std::move(done)(error); });
    }
};

/// Fails `done` in place of a call that could not even be sent.
template<typename Result, typename Handler>
void failCall(Handler& done, std::exception_ptr error) {
    if constexpr (std::is_void_v<Result>)
        BusReply<void>::finish(done, error);
    else
        BusReply<Result>::finish(done, error, Result());
}

} // namespace detail

/// Which method of which interface.
struct BusMethod {
    std::string interface;
    std::string name;
};

/// Calls a method with `args` (copied) and waits for its reply. Throws `sdbus::Error`: what the other side answered, or
/// org.freedesktop.DBus.Error.Timeout/NoReply after `limit`. `proxy` must live until the call has been sent, which is
/// when the coroutine first waits. A proxy that goes away before the reply takes the waiting coroutine with it. Cannot
/// be cancelled.
template<typename Result, typename... Args>
awaitable<Result> callBus(sdbus::IProxy& proxy, BusMethod method, std::chrono::microseconds limit, Args... args) {
    auto send = [&proxy, method = std::move(method), limit,
                 args = std::make_tuple(std::move(args)...)](auto done) mutable {
        using Handler = decltype(done);
        auto shared = std::make_shared<Handler>(std::move(done));
        try {
            const compat::MethodName name(method.name); // the invoker keeps a reference to it
            auto call = proxy.callMethodAsync(name);
            call.onInterface(compat::InterfaceName(method.interface)).withTimeout(limit);
            std::apply([&](const auto&... values) { call.withArguments(values...); }, args);
            call.uponReplyInvoke(detail::BusReply<Result>::handler(shared));
        } catch (const sdbus::Error&) {
            detail::failCall<Result>(*shared, std::current_exception());
        }
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, typename detail::BusReply<Result>::Signature>(
        std::move(send), asio::use_awaitable);
}

} // namespace holdfast
