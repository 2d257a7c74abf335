#include "unit/systemd.hpp"

#include "util/bus_call.hpp"
#include "util/error.hpp"
#include "util/sdbus_compat.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace holdfast {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* service = "org.freedesktop.systemd1";
constexpr const char* managerPath = "/org/freedesktop/systemd1";
constexpr const char* manager = "org.freedesktop.systemd1.Manager";

constexpr auto callLimit = 30s;
constexpr auto startLimit = 5min;
/// A signal can be lost with a restart of systemd's bus connection, so it is only ever a hint to look sooner.
constexpr auto firstLook = 1s;
constexpr auto laterLooks = 10s;

/// As ListUnitsByPatterns answers: name, description, load state, active state, sub state, following, path, job…
using UnitRow = sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string,
                              sdbus::ObjectPath, std::uint32_t, std::string, sdbus::ObjectPath>;
using AuxiliaryUnits = std::vector<sdbus::Struct<std::string, UnitProperties>>;

/// Where a signal about one unit is waited for.
struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}

    asio::steady_timer timer;
    std::optional<std::string> word; ///< what the signal said
    sdbus::Slot slot;
};

std::string matchRule(const char* member) {
    return fmt::format("type='signal',sender='{}',path='{}',interface='{}',member='{}'", service, managerPath, manager,
                       member);
}

std::string changeRule(const std::string& path) {
    return fmt::format("type='signal',sender='{}',path='{}',interface='org.freedesktop.DBus.Properties',"
                       "member='PropertiesChanged'",
                       service, path);
}

/// How the start job of `unit` ended. sd-bus matches no argument that comes after a number, so all jobs are heard.
std::optional<std::string> jobResult(sdbus::Message& jobRemoved, const std::string& unit) {
    std::uint32_t id = 0;
    sdbus::ObjectPath job;
    std::string name;
    std::string result;
    jobRemoved >> id >> job >> name >> result;
    if (name != unit) return std::nullopt;
    return result;
}

[[noreturn]] void throwRefused(const std::string& what, const sdbus::Error& error) {
    throw Error(fmt::format("systemd could not {}: {}", what, error.getMessage()));
}

} // namespace

struct BusSystemd::Impl {
    explicit Impl(sdbus::IConnection& bus)
        : connection(bus),
          proxy(sdbus::createProxy(bus, compat::ServiceName(service), sdbus::ObjectPath(managerPath))) {
        compat::finishRegistration(*proxy);
    }

    sdbus::IConnection& connection;
    std::unique_ptr<sdbus::IProxy> proxy;
    std::map<std::uint64_t, std::shared_ptr<Waiter>> waiters;
    std::uint64_t nextWaiter = 1;
    bool subscribed = false;

    template<typename Result, typename... Args>
    awaitable<Result> call(const char* method, Args... args) {
        return callBus<Result>(*proxy, {manager, method}, callLimit, std::move(args)...);
    }

    /// systemd sends its signals only when somebody has asked for them.
    awaitable<void> subscribe() {
        if (subscribed) co_return;
        try {
            co_await call<void>("Subscribe");
        } catch (const sdbus::Error& error) {
            if (error.getName() != std::string("org.freedesktop.systemd1.AlreadySubscribed")) {
                throwRefused("be asked for its signals", error);
            }
        }
        subscribed = true;
    }

    /// Nothing: not loaded.
    awaitable<std::optional<UnitRow>> row(std::string unit) {
        // GetUnit would need a second call for the state, and ListUnitsByNames loads what it is asked for.
        const std::vector<std::string> anyState;
        const std::vector<std::string> patterns(1, unit);
        const auto rows = co_await call<std::vector<UnitRow>>("ListUnitsByPatterns", anyState, patterns);
        if (rows.empty()) co_return std::nullopt;
        co_return rows.front();
    }

    awaitable<std::optional<std::string>> activeState(std::string unit) {
        const auto found = co_await row(std::move(unit));
        if (!found) co_return std::nullopt;
        co_return found->get<3>();
    }

    awaitable<sdbus::Variant> property(std::string path, const char* interface, const char* name) {
        const auto object =
            sdbus::createProxy(connection, compat::ServiceName(service), sdbus::ObjectPath(std::move(path)));
        compat::finishRegistration(*object);
        BusMethod get{"org.freedesktop.DBus.Properties", "Get"};
        auto reply =
            callBus<sdbus::Variant>(*object, std::move(get), callLimit, std::string(interface), std::string(name));
        const auto value = co_await std::move(reply);
        co_return value;
    }

    /// Only for a unit of type service.
    awaitable<UnitEnd> end(std::string path) {
        constexpr const char* interface = "org.freedesktop.systemd1.Service";
        UnitEnd unitEnd;
        const auto result = co_await property(path, interface, "Result");
        unitEnd.result = result.get<std::string>();
        const auto code = co_await property(path, interface, "ExecMainCode");
        unitEnd.code = code.get<std::int32_t>();
        const auto status = co_await property(path, interface, "ExecMainStatus");
        unitEnd.status = status.get<std::int32_t>();
        const auto began = co_await property(path, interface, "ExecMainStartTimestampMonotonic");
        const auto ended = co_await property(path, interface, "ExecMainExitTimestampMonotonic");
        const auto from = began.get<std::uint64_t>();
        const auto to = ended.get<std::uint64_t>();
        if (to > from) unitEnd.ran = to - from;
        co_return unitEnd;
    }

    /// `read` gets the word for the waiter from the signal, or nothing if it is about another unit.
    template<typename Read>
    std::shared_ptr<Waiter> watch(const asio::any_io_executor& executor, const std::string& rule, Read read) {
        auto waiter = std::make_shared<Waiter>(executor);
        waiter->slot = compat::addMatch(connection, rule, [waiter = waiter.get(), read](sdbus::Message& message) {
            if (waiter->word) return;
            waiter->word = read(message);
            if (waiter->word) waiter->timer.cancel();
        });
        waiters.emplace(nextWaiter++, waiter);
        return waiter;
    }

    void forget(const std::shared_ptr<Waiter>& waiter) {
        waiter->slot.reset();
        std::erase_if(waiters, [&](const auto& item) { return item.second == waiter; });
    }

    /// Slots must go before the connection does, though coroutines that wait may be destroyed later.
    void letGo() {
        for (auto& [id, waiter] : waiters) waiter->slot.reset();
        proxy.reset();
    }
};

namespace {

/// Forgets a waiter at the end of a scope.
template<typename Impl>
struct WaiterGuard {
    std::shared_ptr<Impl> impl;
    std::shared_ptr<Waiter> waiter;
    ~WaiterGuard() { impl->forget(waiter); }
};

awaitable<void> waitFor(std::shared_ptr<Waiter> waiter, Clock::duration limit) {
    if (waiter->word) co_return;
    waiter->timer.expires_after(limit);
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    // If it was this coroutine that was cancelled, the next thing that it waits for throws.
}

} // namespace

BusSystemd::BusSystemd(sdbus::IConnection& connection) : impl_(std::make_shared<Impl>(connection)) {}

BusSystemd::~BusSystemd() { impl_->letGo(); }

awaitable<void> BusSystemd::start(std::string unit, UnitProperties properties) {
    const auto impl = impl_;
    co_await impl->subscribe();
    const auto executor = co_await asio::this_coro::executor;
    // Before the call: a job may end before the coroutine hears that it was accepted.
    const auto read = [unit](sdbus::Message& message) { return jobResult(message, unit); };
    const WaiterGuard<Impl> guard{impl, impl->watch(executor, matchRule("JobRemoved"), read)};
    try {
        co_await impl->call<sdbus::ObjectPath>("StartTransientUnit", unit, std::string("fail"), std::move(properties),
                                               AuxiliaryUnits());
    } catch (const sdbus::Error& error) {
        throwRefused("start " + unit, error);
    }
    const auto end = Clock::now() + startLimit;
    while (!guard.waiter->word && Clock::now() < end) {
        co_await waitFor(guard.waiter, laterLooks);
        if (guard.waiter->word) break;
        const auto state = co_await impl->activeState(unit);
        if (!state)
            guard.waiter->word = "failed";
        else if (*state != "activating")
            guard.waiter->word = *state == "active" ? "done" : "failed";
    }
    if (!guard.waiter->word) throw Error(fmt::format("systemd has not started {} within 5 minutes.", unit));
    if (*guard.waiter->word != "done") {
        throw Error(
            fmt::format("systemd could not start {}: its start job ended as \"{}\"; \"journalctl -u {}\" says more.",
                        unit, *guard.waiter->word, unit));
    }
}

awaitable<void> BusSystemd::stop(std::string unit) {
    const auto impl = impl_;
    try {
        co_await impl->call<sdbus::ObjectPath>("StopUnit", unit, std::string("replace"));
    } catch (const sdbus::Error& error) {
        if (error.getName() != std::string("org.freedesktop.systemd1.NoSuchUnit")) throwRefused("stop " + unit, error);
    }
}

awaitable<bool> BusSystemd::isLive(std::string unit) {
    const auto impl = impl_;
    try {
        const auto state = co_await impl->activeState(unit);
        co_return state&&* state != "inactive" && *state != "failed";
    } catch (const sdbus::Error& error) {
        throwRefused("be asked about " + unit, error);
    }
}

awaitable<UnitEnd> BusSystemd::untilEnded(std::string unit) {
    const auto impl = impl_;
    const auto executor = co_await asio::this_coro::executor;
    const auto changed = [](sdbus::Message&) { return std::optional<std::string>("changed"); };
    std::string path;
    while (true) {
        try {
            co_await impl->subscribe();
            const auto row = co_await impl->row(unit);
            if (!row) throw Error(fmt::format("systemd has forgotten how {} ended.", unit));
            path = row->get<6>();
            const WaiterGuard<Impl> guard{impl, impl->watch(executor, changeRule(path), changed)};
            const auto state = co_await impl->activeState(unit);
            if (!state) continue;
            auto end = co_await impl->end(path);
            if (*state == "inactive" || *state == "failed") co_return end;
            if (*state == "deactivating" && end.result != "success") co_return end;
            co_await waitFor(guard.waiter, firstLook);
        } catch (const sdbus::Error& error) {
            throwRefused("be asked about " + unit, error);
        }
    }
}

awaitable<bool> BusSystemd::isBeingStopped(std::string unit) {
    const auto impl = impl_;
    try {
        const auto row = co_await impl->row(unit);
        co_return row && row->get<8>() == "stop";
    } catch (const sdbus::Error& error) {
        throwRefused("be asked about " + unit, error);
    }
}

awaitable<void> BusSystemd::untilGone(std::string unit) {
    const auto impl = impl_;
    const auto executor = co_await asio::this_coro::executor;
    const std::string rule = matchRule("UnitRemoved") + fmt::format(",arg0='{}'", unit);
    const auto read = [](sdbus::Message&) { return std::optional<std::string>("removed"); };
    const WaiterGuard<Impl> guard{impl, impl->watch(executor, rule, read)};
    Clock::duration pause = firstLook;
    while (true) {
        guard.waiter->word.reset();
        bool live = true;
        try {
            co_await impl->subscribe();
            live = co_await isLive(unit);
        } catch (const Error&) {
            // systemd does not answer now (it may be restarting itself): nothing is known, so the wait goes on.
        }
        if (!live) co_return;
        co_await waitFor(guard.waiter, pause);
        pause = laterLooks;
    }
}

} // namespace holdfast
