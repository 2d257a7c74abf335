#pragma once

#include "util/asio.hpp"
#include "util/sdbus_compat.hpp"

#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace holdfast {

/// Turns an io_context and a bus connection together. The connection has messages that no file descriptor tells of:
/// those that a synchronous call read past, and those that a handler could not write at once. So before every wait it
/// is drained and asked anew what to watch.
class BusLoop {
  public:
    BusLoop(asio::io_context& io, sdbus::IConnection& connection);
    ~BusLoop();

    /// Until the io_context is stopped. Throws `sdbus::Error` when the bus is gone.
    void run();
    /// Until `work` has ended; rethrows what it threw.
    void runUntilDone(awaitable<void> work);

  private:
    void turn();
    void drain();
    void arm();
    void watchRead();
    void watchWrite();
    void watchWake();
    void watchDeadline(std::optional<std::chrono::steady_clock::time_point> deadline);

    asio::io_context& io_;
    sdbus::IConnection& connection_;
    asio::posix::stream_descriptor fd_;
    asio::posix::stream_descriptor wake_;
    asio::steady_timer timer_;
    std::optional<std::chrono::steady_clock::time_point> deadline_; ///< what the timer is set to
    bool reading_ = false;
    bool writing_ = false;
    bool waking_ = false;
};

} // namespace holdfast
