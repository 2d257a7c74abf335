#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-bus.h>

#if __has_include(<sdbus-c++/VTableItems.h>)
#define HOLDFAST_SDBUS_2 1
#endif

/// All that differs between sdbus-c++ 1.2 (Debian 12) and 2.x (Debian 13), and what neither of them offers. The only
/// file that asks for the version. For programs that link sdbus-c++; util itself does not.
namespace holdfast::compat {

// --- names ---------------------------------------------------------------------------------------------------------
#ifdef HOLDFAST_SDBUS_2
using sdbus::InterfaceName;
using sdbus::MethodName;
using sdbus::PropertyName;
using sdbus::ServiceName;
using sdbus::SignalName;
#else
using InterfaceName = std::string;
using MethodName = std::string;
using PropertyName = std::string;
using ServiceName = std::string;
using SignalName = std::string;
#endif

// --- errors --------------------------------------------------------------------------------------------------------
inline sdbus::Error error(const std::string& name, const std::string& message) {
#ifdef HOLDFAST_SDBUS_2
    return sdbus::Error(sdbus::Error::Name(name), message);
#else
    return sdbus::Error(name, message);
#endif
}

/// First parameter of a handler for `uponReplyInvoke`: tests false when the call succeeded, dereferences to the error.
#ifdef HOLDFAST_SDBUS_2
using ReplyError = std::optional<sdbus::Error>;
#else
using ReplyError = const sdbus::Error*;
#endif

// --- objects and proxies -------------------------------------------------------------------------------------------
/// To be called on a proxy after its signal handlers are registered.
inline void finishRegistration([[maybe_unused]] sdbus::IProxy& proxy) {
#ifndef HOLDFAST_SDBUS_2
    proxy.finishRegistration();
#endif
}

/// To be called on an object after everything is registered on it.
inline void finishRegistration([[maybe_unused]] sdbus::IObject& object) {
#ifndef HOLDFAST_SDBUS_2
    object.finishRegistration();
#endif
}

inline void emitPropertiesChanged(sdbus::IObject& object, const std::string& interface,
                                  const std::vector<PropertyName>& properties) {
    object.emitPropertiesChangedSignal(InterfaceName(interface), properties);
}

/// What sd-bus knows of the message that is being handled now.
struct Caller {
    std::string sender;                    ///< unique name on the bus, ":1.42"
    bool interactiveAuthorization = false; ///< whether the caller lets polkit ask a person
};

namespace detail {

/// Neither version has an accessor for a message's flags; the sd-bus message is a protected member of both.
class OpenMessage : public sdbus::Message {
  public:
    static sd_bus_message* of(const sdbus::Message& message) {
        return static_cast<sd_bus_message*>(message.*(&OpenMessage::msg_));
    }
};

} // namespace detail

inline Caller callerOf(sd_bus_message* call) {
    const char* sender = sd_bus_message_get_sender(call);
    return {sender == nullptr ? std::string() : std::string(sender),
            sd_bus_message_get_allow_interactive_authorization(call) > 0};
}

/// For use at the beginning of a method's implementation: afterwards the message is another one, or none.
inline Caller currentCaller(const sdbus::IObject& object) {
#ifdef HOLDFAST_SDBUS_2
    const sdbus::Message message = object.getCurrentlyProcessedMessage();
    return callerOf(detail::OpenMessage::of(message));
#else
    return callerOf(detail::OpenMessage::of(*object.getCurrentlyProcessedMessage()));
#endif
}

/// Lets the service have polkit ask a person before it answers this call, which has not been sent yet.
inline void allowInteractiveAuthorization(sdbus::Message& call) {
    sd_bus_message_set_allow_interactive_authorization(detail::OpenMessage::of(call), 1);
}

/// The sd-bus connection below one of sdbus-c++, for what that does not offer: one vtable for many objects.
class RawBus {
  public:
    explicit RawBus(sdbus::IConnection& connection) : message_(anyMessage(connection)) {}

    [[nodiscard]] sd_bus* get() const { return sd_bus_message_get_bus(detail::OpenMessage::of(message_)); }
    /// A call that sd-bus has handed over, as sdbus-c++ has it.
    [[nodiscard]] sdbus::MethodCall wrap(sd_bus_message* call) const { return Wrapped(call, message_); }

  private:
    class Wrapped : public sdbus::MethodCall {
      public:
#ifdef HOLDFAST_SDBUS_2
        Wrapped(sd_bus_message* call, const sdbus::Message& other)
            : sdbus::MethodCall(call, other.*(&Wrapped::connection_)) {}
#else
        Wrapped(sd_bus_message* call, const sdbus::Message& other)
            : sdbus::MethodCall(call, other.*(&Wrapped::sdbus_)) {}
#endif
    };

    /// Never sent: it only knows what it belongs to.
    static sdbus::MethodCall anyMessage(sdbus::IConnection& connection) {
        const auto proxy = sdbus::createProxy(connection, ServiceName("org.freedesktop.DBus"),
                                              sdbus::ObjectPath("/org/freedesktop/DBus"));
        finishRegistration(*proxy);
        return proxy->createMethodCall(InterfaceName("org.freedesktop.DBus.Peer"), MethodName("Ping"));
    }

    sdbus::MethodCall message_;
};

// --- connection ----------------------------------------------------------------------------------------------------
/// `handler` is called with every message that matches, until the slot is let go of. The slot must not outlive the
/// connection.
template<typename Handler>
[[nodiscard]] sdbus::Slot addMatch(sdbus::IConnection& connection, const std::string& match, Handler handler) {
    // 1.2 hands over a reference, 2.x a value.
    auto callback = [handler = std::move(handler)](auto&& message) { handler(message); };
#ifdef HOLDFAST_SDBUS_2
    return connection.addMatch(match, std::move(callback), sdbus::return_slot);
#else
    return connection.addMatch(match, std::move(callback));
#endif
}

/// Handles what has arrived or become due; returns true if there may be more to do at once.
inline bool processPending(sdbus::IConnection& connection) {
#ifdef HOLDFAST_SDBUS_2
    return connection.processPendingEvent();
#else
    return connection.processPendingRequest();
#endif
}

/// What an event loop must watch for a connection before it sleeps.
struct PollData {
    int fd = -1;
    int wakeFd = -1;  ///< readable when another thread wants the loop to turn; -1 = none
    short events = 0; ///< of poll(2), on `fd`
    std::optional<std::chrono::steady_clock::time_point> deadline; ///< when to process even if nothing arrives
};

inline PollData pollData(const sdbus::IConnection& connection) {
    const auto data = connection.getEventLoopPollData();
    PollData result;
    result.fd = data.fd;
    result.events = data.events;
#ifdef HOLDFAST_SDBUS_2
    result.wakeFd = data.eventFd;
    if (data.timeout != std::chrono::microseconds::max()) {
        result.deadline = std::chrono::steady_clock::time_point(data.timeout);
    }
#else
    // Both count from the same zero: libstdc++'s steady_clock is CLOCK_MONOTONIC.
    if (data.timeout_usec != UINT64_MAX) {
        result.deadline = std::chrono::steady_clock::time_point(std::chrono::microseconds(data.timeout_usec));
    }
#endif
    return result;
}

} // namespace holdfast::compat
