#pragma once

#include "bus/call_turns.hpp"
#include "util/asio.hpp"
#include "util/sdbus_compat.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <systemd/sd-bus.h>

namespace holdfast {

/// Every method call that arrives is taken out of sd-bus's hands before it reaches an object, waits until it is known
/// whose it is, and comes back when it is that user's turn (CallTurns). What is over a user's limits is refused, to
/// that user alone; the calls of those who have left the bus are dropped.
class Callers {
  public:
    /// Both must outlive it, and `io` must not run any more once it is destroyed.
    Callers(asio::io_context& io, sdbus::IConnection& connection);
    Callers(const Callers&) = delete;
    Callers& operator=(const Callers&) = delete;

    /// Of a caller whose call is being answered; nobody if it has left the bus.
    [[nodiscard]] std::optional<std::uint32_t> uidOf(const std::string& sender) const;
    /// Whose call is being handed to an object at this moment; nobody outside of one.
    [[nodiscard]] std::optional<std::uint32_t> current() const;

    /// Called before a call is handed on: does a little of what must be done before it can be answered, and returns
    /// whether that was all. In between, others have their turn.
    void prepareWith(std::function<bool(sd_bus_message* call)> prepare) { prepare_ = std::move(prepare); }

  private:
    struct Known {
        std::optional<std::uint32_t> uid;
        std::vector<WaitingCall> unidentified; ///< until the bus has said whose they are
    };
    struct Unref {
        void operator()(sd_bus_slot* slot) const { ::sd_bus_slot_unref(slot); }
    };

    static int filter(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
    void take(sd_bus_message* call);
    void holdUnidentified(Known& known, WaitingCall call);
    awaitable<void> identify(std::string sender);
    void identified(const std::string& sender, std::optional<std::uint32_t> uid);
    void left(const std::string& sender);
    void queue(std::uint32_t uid, WaitingCall call);
    void handOnSoon();
    void handOn();

    asio::io_context& io_;
    const compat::RawBus bus_;
    std::unique_ptr<sdbus::IProxy> driver_;
    std::unique_ptr<sd_bus_slot, Unref> filter_;
    sdbus::Slot departures_;
    std::function<bool(sd_bus_message*)> prepare_;
    std::map<std::string, Known> known_; ///< by unique name; of those who have called and not left
    std::size_t unidentifiedBytes_ = 0;
    CallTurns turns_;
    sd_bus_message* handedOn_ = nullptr; ///< the one that is about to come back through the filter
    asio::steady_timer congestion_;
    bool scheduled_ = false;
};

} // namespace holdfast
