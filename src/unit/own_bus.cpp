#include "unit/own_bus.hpp"

#include "util/error.hpp"
#include "util/sdbus_compat.hpp"

#include <chrono>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

namespace holdfast {

namespace {

/// What no file descriptor tells of (a call that could not be written at once, a time limit of a call) is seen this
/// late.
constexpr auto tick = std::chrono::milliseconds(100);

std::unique_ptr<sdbus::IConnection> connect() {
    try {
        return sdbus::createSystemBusConnection();
    } catch (const sdbus::Error& error) {
        throw Error(fmt::format("The system bus cannot be reached: {}.", error.getMessage()));
    }
}

} // namespace

/// Handles what has arrived whenever something has, and at each tick.
struct OwnBus::Pump : std::enable_shared_from_this<Pump> {
    Pump(const asio::any_io_executor& executor, sdbus::IConnection& bus)
        : connection(&bus), fd(executor, compat::pollData(bus).fd), timer(executor) {}

    sdbus::IConnection* connection; ///< null once it is gone
    asio::posix::stream_descriptor fd;
    asio::steady_timer timer;

    void start() {
        watch();
        next();
    }

    void stop() {
        connection = nullptr;
        timer.cancel();
        fd.release(); // it is the connection's own
    }

    void watch() {
        fd.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](boost::system::error_code failed) {
                          if (!failed && self->drain()) self->watch();
                      });
    }

    void next() {
        timer.expires_after(tick);
        timer.async_wait([self = shared_from_this()](boost::system::error_code failed) {
            if (!failed && self->drain()) self->next();
        });
    }

    /// False once there is nothing to watch any more.
    bool drain() {
        constexpr int atOnce = 64;
        try {
            for (int i = 0; connection != nullptr && i < atOnce; ++i) {
                if (!compat::processPending(*connection)) break;
            }
        } catch (const sdbus::Error&) {
            return false; // the bus is gone; calls run into their limits
        }
        return connection != nullptr;
    }
};

OwnBus::OwnBus(const asio::any_io_executor& executor)
    : connection_(connect()), pump_(std::make_shared<Pump>(executor, *connection_)),
      systemd_(std::make_unique<BusSystemd>(*connection_)) {
    pump_->start();
}

OwnBus::~OwnBus() {
    pump_->stop();
    systemd_.reset();
}

} // namespace holdfast
