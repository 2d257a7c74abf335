#include "bus/callers.hpp"

#include "util/bus_call.hpp"
#include "util/log.hpp"

#include <chrono>
#include <cstring>
#include <functional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <poll.h>

namespace holdfast {

namespace {

using namespace std::chrono_literals;

constexpr auto driverName = "org.freedesktop.DBus";
constexpr auto identifyLimit = 10s;

constexpr std::size_t largestCall = 6 * 1024 * 1024; // a job's document has 64 KiB, a list of paths to restore more
constexpr std::size_t overhead = 1024;               // of a call, beside what it holds
// A call that waits costs less than one that is refused and comes again at once: there is room for as many as the bus
// lets an ordinary user have open.
constexpr CallTurns::Limits eachUser{16'384, 16 * 1024 * 1024};
constexpr CallTurns::Limits allUsers{49'152, 48 * 1024 * 1024};
// Before it is known whose a call is, small ones are held whatever there is: root's may be among them.
constexpr std::size_t unidentifiedCalls = 128; // of one connection: as many as the bus lets wait for an answer
constexpr std::size_t unidentifiedBytes = 16 * 1024 * 1024;
constexpr std::size_t smallCall = 4096;

bool isText(char type) {
    return type == SD_BUS_TYPE_STRING || type == SD_BUS_TYPE_OBJECT_PATH || type == SD_BUS_TYPE_SIGNATURE;
}

/// Of the rest of a message, or of the container that was entered. sd-bus itself does not tell.
std::size_t sizeOfRest(sd_bus_message* message) {
    std::size_t size = 0;
    char type = 0;
    const char* contents = nullptr;
    while (::sd_bus_message_peek_type(message, &type, &contents) > 0) {
        if (contents != nullptr && type == SD_BUS_TYPE_ARRAY && std::strcmp(contents, "y") == 0) {
            const void* bytes = nullptr;
            std::size_t length = 0;
            if (::sd_bus_message_read_array(message, SD_BUS_TYPE_BYTE, &bytes, &length) < 0) break;
            size += length;
        } else if (contents != nullptr) {
            if (::sd_bus_message_enter_container(message, type, contents) <= 0) break;
            size += sizeOfRest(message);
            if (::sd_bus_message_exit_container(message) < 0) break;
        } else if (isText(type)) {
            const char* text = nullptr;
            if (::sd_bus_message_read_basic(message, type, &text) <= 0) break;
            size += std::strlen(text) + 8;
        } else {
            std::uint64_t value = 0;
            if (::sd_bus_message_read_basic(message, type, &value) <= 0) break;
            size += 8;
        }
    }
    return size;
}

std::size_t sizeOfCall(sd_bus_message* message) {
    const std::size_t size = sizeOfRest(message);
    ::sd_bus_message_rewind(message, 1);
    return size + overhead;
}

constexpr int mostPassedOver = 64; // turns of the loop, in each of which some dozens of messages are read

bool hasUnread(sd_bus* bus) {
    pollfd waiting{::sd_bus_get_fd(bus), POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
}

/// Calls `then` in a later turn of the loop, behind all that is ready to go on: when `enough` says so or all that has
/// arrived has been read, but not much later.
void afterReading(asio::io_context& io, sd_bus* bus, std::function<bool()> enough, std::function<void()> then,
                  int left) {
    asio::post(io, [&io, bus, enough = std::move(enough), then = std::move(then), left]() mutable {
        if (left > 0 && !enough() && hasUnread(bus))
            afterReading(io, bus, std::move(enough), std::move(then), left - 1);
        else
            then();
    });
}

void refuseCall(const WaitingCall& call, const char* why) {
    // If it cannot be sent, the caller or the bus is gone.
    static_cast<void>(::sd_bus_reply_method_errorf(call.message.get(), SD_BUS_ERROR_LIMITS_EXCEEDED, "%s", why));
}

constexpr auto tooMany =
    "Too many of this user's calls are waiting for an answer; try again when some have been given.";
constexpr auto tooLarge = "The call is too large: all that is in it may have 6 MiB.";

} // namespace

Callers::Callers(asio::io_context& io, sdbus::IConnection& connection)
    : io_(io), bus_(connection), driver_(sdbus::createProxy(connection, compat::ServiceName(driverName),
                                                            sdbus::ObjectPath("/org/freedesktop/DBus"))),
      turns_(eachUser, allUsers), congestion_(io) {
    compat::finishRegistration(*driver_);
    const std::string departures = fmt::format(
        "type='signal',sender='{0}',interface='{0}',member='NameOwnerChanged',path='/org/freedesktop/DBus',arg2=''",
        driverName);
    departures_ = compat::addMatch(connection, departures, [this](sdbus::Message& message) {
        std::string name;
        message >> name;
        left(name);
    });
    sd_bus_slot* slot = nullptr;
    const int r = ::sd_bus_add_filter(bus_.get(), &slot, filter, this);
    if (r < 0) throw compat::error(SD_BUS_ERROR_FAILED, "Calls could not be filtered.");
    filter_.reset(slot);
}

std::optional<std::uint32_t> Callers::uidOf(const std::string& sender) const {
    const auto known = known_.find(sender);
    return known == known_.end() ? std::nullopt : known->second.uid;
}

std::optional<std::uint32_t> Callers::current() const {
    sd_bus_message* message = ::sd_bus_get_current_message(bus_.get());
    if (message == nullptr || ::sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) return std::nullopt;
    const char* sender = ::sd_bus_message_get_sender(message);
    return sender == nullptr ? std::nullopt : uidOf(sender);
}

/// What sd-bus calls with each message. No exception may pass through it.
int Callers::filter(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    if (::sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) return 0;
    auto& self = *static_cast<Callers*>(userdata);
    if (message == self.handedOn_) {
        self.handedOn_ = nullptr;
        self.handOnSoon();
        return 0;
    }
    try {
        self.take(message);
        return 1;
    } catch (const std::exception&) {
        return -ENOMEM;
    }
}

void Callers::take(sd_bus_message* message) {
    const char* sender = ::sd_bus_message_get_sender(message);
    if (sender == nullptr) return;
    WaitingCall call{sender, sizeOfCall(message), {::sd_bus_message_ref(message), ::sd_bus_message_unref}};
    if (call.size > largestCall) return refuseCall(call, tooLarge);
    const auto [known, isNew] = known_.try_emplace(sender);
    if (known->second.uid) return queue(*known->second.uid, std::move(call));
    holdUnidentified(known->second, std::move(call));
    if (isNew) asio::co_spawn(io_, identify(sender), asio::detached);
}

void Callers::holdUnidentified(Known& known, WaitingCall call) {
    const bool fits = call.size <= smallCall || unidentifiedBytes_ + call.size <= unidentifiedBytes;
    if (!fits || known.unidentified.size() >= unidentifiedCalls) return refuseCall(call, tooMany);
    unidentifiedBytes_ += call.size;
    known.unidentified.push_back(std::move(call));
}

awaitable<void> Callers::identify(std::string sender) {
    std::optional<std::uint32_t> uid;
    const BusMethod method{driverName, "GetConnectionUnixUser"};
    try {
        uid = co_await callBus<std::uint32_t>(*driver_, method, identifyLimit, sender);
    } catch (const sdbus::Error&) { // it has left
    }
    identified(sender, uid);
}

void Callers::identified(const std::string& sender, std::optional<std::uint32_t> uid) {
    const auto known = known_.find(sender);
    if (known == known_.end()) return;
    auto calls = std::exchange(known->second.unidentified, {});
    for (const auto& call : calls) unidentifiedBytes_ -= call.size;
    if (!uid) {
        known_.erase(known);
        return;
    }
    known->second.uid = uid;
    for (auto& call : calls) queue(*uid, std::move(call));
}

void Callers::left(const std::string& sender) {
    const auto known = known_.find(sender);
    if (known == known_.end()) return;
    for (const auto& call : known->second.unidentified) unidentifiedBytes_ -= call.size;
    known_.erase(known);
    turns_.drop(sender);
}

void Callers::queue(std::uint32_t uid, WaitingCall call) {
    if (!turns_.wait(uid, call)) return refuseCall(call, tooMany);
    handOnSoon();
}

/// What was handed on before goes a step further first, and what has arrived is read: root's call may be behind those
/// of others.
void Callers::handOnSoon() {
    if (turns_.empty() || std::exchange(scheduled_, true)) return;
    afterReading(
        io_, bus_.get(), [this] { return turns_.rootWaits(); }, [this] { handOn(); }, mostPassedOver);
}

void Callers::handOn() {
    scheduled_ = false;
    if (handedOn_ != nullptr || turns_.empty()) return;
    std::uint64_t unsent = 0;
    ::sd_bus_get_n_queued_write(bus_.get(), &unsent);
    if (unsent > 0 && !turns_.rootWaits()) {
        // Large answers are still on their way; more of them would stand before those that root waits for.
        scheduled_ = true;
        congestion_.expires_after(5ms);
        congestion_.async_wait([this](const auto&) { handOn(); });
        return;
    }
    auto turn = turns_.next();
    if (prepare_ && !prepare_(turn->call.message.get())) {
        queue(turn->uid, std::move(turn->call));
        return;
    }
    // sd-bus takes what it has read already before it reads on.
    const int r = ::sd_bus_enqueue_for_read(bus_.get(), turn->call.message.get());
    if (r >= 0)
        handedOn_ = turn->call.message.get();
    else
        logError(fmt::format("A call could not be handed on: {}", std::strerror(-r)));
    handOnSoon();
}

} // namespace holdfast
