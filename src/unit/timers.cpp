#include "unit/timers.hpp"

#include "util/bus_call.hpp"
#include "util/error.hpp"
#include "util/sdbus_compat.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <systemd/sd-bus.h>

namespace holdfast {

namespace {

using namespace std::chrono_literals;

constexpr const char* service = "org.freedesktop.systemd1";
constexpr const char* managerPath = "/org/freedesktop/systemd1";
constexpr const char* manager = "org.freedesktop.systemd1.Manager";
constexpr const char* unitsPath = "/org/freedesktop/systemd1/unit";
constexpr const char* timerInterface = "org.freedesktop.systemd1.Timer";
constexpr auto callLimit = 30s;

/// As ListUnitsByPatterns answers.
using UnitRow = sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string,
                              sdbus::ObjectPath, std::uint32_t, std::string, sdbus::ObjectPath>;

std::string pathOf(const std::string& unit) {
    char* path = nullptr;
    const int r = ::sd_bus_path_encode(unitsPath, unit.c_str(), &path);
    if (r < 0) throw std::system_error(-r, std::generic_category(), "object path of unit " + unit);
    const std::unique_ptr<char, decltype(&std::free)> owned(path, &std::free);
    return owned.get();
}

std::optional<std::string> unitAt(const std::string& path) {
    char* name = nullptr;
    if (::sd_bus_path_decode(path.c_str(), unitsPath, &name) <= 0) return std::nullopt;
    const std::unique_ptr<char, decltype(&std::free)> owned(name, &std::free);
    return owned.get();
}

[[noreturn]] void throwRefused(const std::string& what, const sdbus::Error& error) {
    throw Error(fmt::format("systemd could not {}: {}", what, error.getMessage()));
}

template<typename Value>
void add(UnitProperties& properties, const char* name, const Value& value) {
    properties.emplace_back(name, sdbus::Variant(value));
}

} // namespace

UnitProperties timerProperties(const TimerSpec& spec) {
    using Calendar = sdbus::Struct<std::string, std::string>;
    std::vector<Calendar> calendar;
    for (const auto& expression : spec.onCalendar) calendar.emplace_back("OnCalendar", expression);

    UnitProperties properties;
    add(properties, "Description", spec.description);
    add(properties, "TimersCalendar", calendar);
    add(properties, "Persistent", true);
    add(properties, "AccuracyUSec", usecPerSec);
    add(properties, "RandomizedDelayUSec", spec.randomizedDelay);
    // Or each reload of systemd would draw another delay.
    add(properties, "FixedRandomDelay", true);
    // A failed timer would block its name.
    add(properties, "CollectMode", std::string("inactive-or-failed"));
    return properties;
}

struct BusTimers::Impl {
    Impl(sdbus::IConnection& bus, Systemd& ofUnits)
        : connection(bus), systemd(ofUnits),
          proxy(sdbus::createProxy(bus, compat::ServiceName(service), sdbus::ObjectPath(managerPath))) {
        compat::finishRegistration(*proxy);
    }

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

    void letGo() {
        changes.reset();
        proxy.reset();
    }

    sdbus::IConnection& connection;
    Systemd& systemd;
    std::unique_ptr<sdbus::IProxy> proxy;
    sdbus::Slot changes;
    bool subscribed = false;
};

BusTimers::BusTimers(sdbus::IConnection& connection, Systemd& systemd)
    : impl_(std::make_shared<Impl>(connection, systemd)) {}

BusTimers::~BusTimers() { impl_->letGo(); }

awaitable<std::vector<ActiveTimer>> BusTimers::list(std::string pattern) {
    const auto impl = impl_;
    const std::vector<std::string> states(1, "active");
    const std::vector<std::string> patterns(1, std::move(pattern));
    std::vector<UnitRow> rows;
    try {
        co_await impl->subscribe();
        rows = co_await impl->call<std::vector<UnitRow>>("ListUnitsByPatterns", states, patterns);
    } catch (const sdbus::Error& error) {
        throwRefused("be asked for its timers", error);
    }
    std::vector<ActiveTimer> timers;
    for (const auto& row : rows) timers.push_back({row.get<0>(), row.get<1>()});
    co_return timers;
}

awaitable<void> BusTimers::start(TimerSpec spec) {
    const auto impl = impl_;
    UnitProperties properties = timerProperties(spec);
    co_await impl->systemd.start(spec.unit, std::move(properties));
}

awaitable<void> BusTimers::stop(std::string unit) {
    const auto impl = impl_;
    co_await impl->systemd.stop(unit);
    co_await impl->systemd.untilGone(unit);
}

awaitable<Elapses> BusTimers::elapses(std::string unit) {
    const auto impl = impl_;
    const auto proxy =
        sdbus::createProxy(impl->connection, compat::ServiceName(service), sdbus::ObjectPath(pathOf(unit)));
    compat::finishRegistration(*proxy);
    const BusMethod getAll{"org.freedesktop.DBus.Properties", "GetAll"};
    std::map<std::string, sdbus::Variant> values;
    try {
        values = co_await callBus<std::map<std::string, sdbus::Variant>>(*proxy, getAll, callLimit,
                                                                         std::string(timerInterface));
    } catch (const sdbus::Error& error) {
        throwRefused("be asked when " + unit + " elapses", error);
    }
    Elapses elapses;
    elapses.last = values.at("LastTriggerUSec").get<std::uint64_t>();
    elapses.next = values.at("NextElapseUSecRealtime").get<std::uint64_t>();
    if (elapses.next == UINT64_MAX) elapses.next = 0;
    co_return elapses;
}

void BusTimers::onChange(std::function<void(const std::string& unit)> handler) {
    const std::string rule = fmt::format("type='signal',sender='{}',path_namespace='{}',"
                                         "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                                         "arg0='{}'",
                                         service, unitsPath, timerInterface);
    impl_->changes = compat::addMatch(impl_->connection, rule, [handler = std::move(handler)](sdbus::Message& message) {
        if (const auto unit = unitAt(message.getPath())) handler(*unit);
    });
}

} // namespace holdfast
