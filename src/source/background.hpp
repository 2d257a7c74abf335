#pragma once

#include "util/asio.hpp"

#include <atomic>
#include <functional>

#include <boost/asio/thread_pool.hpp>

namespace holdfast {

/// Told to work that cannot be interrupted: it looks now and then whether it should end.
class Stop {
  public:
    void request() { requested_ = true; }
    [[nodiscard]] bool requested() const { return requested_; }
    /// Throws boost::system::system_error (operation_aborted) when work should end.
    void check() const;

  private:
    std::atomic<bool> requested_ = false;
};

/// One thread for calls that block (libgit2's), so that the program's own thread goes on: time limits, signals,
/// progress.
class Background {
  public:
    Background() : thread_(1) {}

    /// Runs `work` there and waits for its end; what it throws is thrown here. Cancelling the wait asks `work` to stop
    /// and still waits for it: nothing goes on behind the caller's back. Work that does not stop within ten seconds
    /// ends the program as it is: whoever cancels has written down why.
    awaitable<void> run(std::function<void(const Stop&)> work);

  private:
    asio::thread_pool thread_;
};

} // namespace holdfast
