#pragma once

#include "unit/systemd.hpp"
#include "util/asio.hpp"

#include <memory>

#include <boost/asio/any_io_executor.hpp>

namespace holdfast {

/// A connection to the system bus for a program whose loop is not built around one, for as long as it is needed.
class OwnBus {
  public:
    /// Throws `Error` if the bus cannot be reached.
    explicit OwnBus(const asio::any_io_executor& executor);
    ~OwnBus();
    OwnBus(const OwnBus&) = delete;
    OwnBus& operator=(const OwnBus&) = delete;

    /// Its coroutines must have ended before this goes.
    [[nodiscard]] BusSystemd& systemd() { return *systemd_; }

  private:
    struct Pump;

    std::unique_ptr<sdbus::IConnection> connection_;
    std::shared_ptr<Pump> pump_;
    std::unique_ptr<BusSystemd> systemd_;
};

} // namespace holdfast
