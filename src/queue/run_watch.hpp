#pragma once

#include "run/paths.hpp"
#include "util/asio.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace holdfast {

/// Tells when workers replace their state.json: one inotify descriptor for all runs. Sleeps while nothing happens.
/// Destroy it only when the io_context does not run any more, or in one of its handlers.
class RunWatch {
  public:
    using Handler = std::function<void(const std::string& id)>;

    /// Throws `std::system_error`.
    RunWatch(asio::io_context& io, const Paths& paths, Handler changed);
    RunWatch(const RunWatch&) = delete;
    RunWatch& operator=(const RunWatch&) = delete;

    /// The run's live folder must be there. Throws `std::system_error`.
    void add(const std::string& id);
    void remove(const std::string& id);

  private:
    void read();
    void handle(const char* events, std::size_t size);

    const Paths& paths_;
    Handler changed_;
    asio::posix::stream_descriptor inotify_;
    std::map<int, std::string> runs_;
    alignas(8) std::array<char, 16 * 1024> buffer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace holdfast
