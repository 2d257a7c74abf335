#include "source/background.hpp"

#include <exception>
#include <memory>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
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

} // namespace

awaitable<void> Background::run(std::function<void(const Stop&)> work) {
    const auto task = std::make_shared<Task>();
    task->work = std::move(work);
    auto start = [task, this](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) slot.assign([task](asio::cancellation_type) { task->stop.request(); });
        auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(thread_, [task, slot, guard = std::move(guard), handler = std::move(handler)]() mutable {
            const auto failure = task->run();
            const auto executor = guard.get_executor();
            asio::post(executor, [slot, failure, guard = std::move(guard), handler = std::move(handler)]() mutable {
                if (slot.is_connected()) slot.clear();
                std::move(handler)(failure);
            });
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(std::move(start),
                                                                                           asio::use_awaitable);
}

} // namespace holdfast
