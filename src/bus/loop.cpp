#include "bus/loop.hpp"

#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <poll.h>

namespace holdfast {

BusLoop::BusLoop(asio::io_context& io, sdbus::IConnection& connection)
    : io_(io), connection_(connection), fd_(io), wake_(io), timer_(io) {
    const auto data = compat::pollData(connection_);
    fd_.assign(data.fd);
    if (data.wakeFd >= 0) wake_.assign(data.wakeFd);
}

BusLoop::~BusLoop() {
    // The descriptors are the connection's own.
    if (fd_.is_open()) fd_.release();
    if (wake_.is_open()) wake_.release();
}

void BusLoop::run() {
    while (!io_.stopped()) turn();
}

void BusLoop::runUntilDone(awaitable<void> work) {
    bool done = false;
    std::exception_ptr failure;
    asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e) {
        failure = std::move(e);
        done = true;
    });
    while (!done && !io_.stopped()) turn();
    if (failure) std::rethrow_exception(failure);
}

void BusLoop::turn() {
    drain();
    arm();
    io_.run_one();
}

void BusLoop::drain() {
    constexpr int atOnce = 64; // a client that floods the bus must not keep the other work from its turn
    for (int i = 0; i < atOnce; ++i) {
        if (!compat::processPending(connection_)) return;
    }
    asio::post(io_, [] {});
}

void BusLoop::arm() {
    const auto data = compat::pollData(connection_);
    if ((data.events & POLLIN) != 0) watchRead();
    if ((data.events & POLLOUT) != 0) watchWrite();
    if (data.wakeFd >= 0) watchWake();
    watchDeadline(data.deadline);
}

// The handlers only note that the wait is over: the next turn drains.

void BusLoop::watchRead() {
    if (std::exchange(reading_, true)) return;
    fd_.async_wait(asio::posix::descriptor_base::wait_read, [this](boost::system::error_code ec) {
        if (ec != asio::error::operation_aborted) reading_ = false;
    });
}

void BusLoop::watchWrite() {
    if (std::exchange(writing_, true)) return;
    fd_.async_wait(asio::posix::descriptor_base::wait_write, [this](boost::system::error_code ec) {
        if (ec != asio::error::operation_aborted) writing_ = false;
    });
}

void BusLoop::watchWake() {
    if (std::exchange(waking_, true)) return;
    wake_.async_wait(asio::posix::descriptor_base::wait_read, [this](boost::system::error_code ec) {
        if (ec != asio::error::operation_aborted) waking_ = false;
    });
}

void BusLoop::watchDeadline(std::optional<std::chrono::steady_clock::time_point> deadline) {
    if (deadline == deadline_) return;
    deadline_ = deadline;
    timer_.cancel();
    if (!deadline) return;
    timer_.expires_at(*deadline);
    timer_.async_wait([this](boost::system::error_code ec) {
        if (ec != asio::error::operation_aborted) deadline_.reset();
    });
}

} // namespace holdfast
