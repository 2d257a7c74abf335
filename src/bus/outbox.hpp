#pragma once

#include "util/asio.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

namespace holdfast {

/// Signals wait here until the method call that caused them has been answered: whatever is put in is sent, in order, in
/// a later turn of the loop, and not while anybody holds the outbox.
class Outbox {
  public:
    explicit Outbox(asio::io_context& io);

    void put(std::function<void()> send);

    /// Keeps everything in while it lives. A method that waits between its act and its reply takes one before the act.
    class Hold {
      public:
        explicit Hold(Outbox& outbox);
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        ~Hold();

      private:
        Outbox& outbox_;
    };

  private:
    void schedule();
    void flush();

    asio::io_context& io_;
    std::deque<std::function<void()>> waiting_;
    std::size_t holds_ = 0;
    bool scheduled_ = false;
};

} // namespace holdfast
