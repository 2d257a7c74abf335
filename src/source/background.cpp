#include "source/background.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace holdfast {

void Stop::check() const {
    if (requested_) throw boost::system::system_error(asio::error::operation_aborted);
}

namespace {

struct Task {
    std::function<void(const Stop&)> work;
    Stop stop;

    std::exception_ptr run() noexcept {
        try {
            work(stop);
        } catch (...) {
            return std::current_exception();
        }
        return nullptr;
    }
};

/// Nothing ends a thread that waits in the kernel, for a dead server or for the other end of a pipe; the program can
/// end, and its cleanup does the rest. With success, since what there is to say of the run has been said.
void endIfNotCancelledWithin(asio::steady_timer& timer, std::chrono::seconds patience) {
    timer.expires_after(patience);
    timer.async_wait([](boost::system::error_code cancelled) {
        if (!cancelled) std::_Exit(EXIT_SUCCESS);
    });
}

} // namespace

awaitable<void> Background::run(std::function<void(const Stop&)> work) {
    const auto task = std::make_shared<Task>();
    task->work = std::move(work);
    auto start = [task, this](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
        auto patience = std::make_shared<asio::steady_timer>(guard.get_executor());
        if (slot.is_connected()) {
            slot.assign([task, patience](asio::cancellation_type) {
                task->stop.request();
                endIfNotCancelledWithin(*patience, std::chrono::seconds(10));
            });
        }
        asio::post(thread_, [task, slot, patience = std::move(patience), guard = std::move(guard),
                             handler = std::move(handler)]() mutable {
            const auto failure = task->run();
            const auto executor = guard.get_executor();
            asio::post(executor, [slot, failure, patience = std::move(patience), guard = std::move(guard),
                                  handler = std::move(handler)]() mutable {
                if (slot.is_connected()) slot.clear();
                patience->cancel();
                std::move(handler)(failure);
            });
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(std::move(start),
                                                                                           asio::use_awaitable);
}

} // namespace holdfast
