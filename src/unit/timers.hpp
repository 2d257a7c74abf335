#pragma once

#include "unit/properties.hpp"
#include "unit/systemd.hpp"
#include "util/asio.hpp"
#include "util/time.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sdbus-c++/sdbus-c++.h>

namespace holdfast {

/// A timer to be made. It starts the service that has its name.
struct TimerSpec {
    std::string unit; ///< "….timer"
    std::string description;
    std::vector<std::string> onCalendar; ///< systemd.time(7); each of them elapses
    USec randomizedDelay = 0;
};

/// Properties of a transient timer: to the second, and persistent (systemd.timer(5): what it missed while the machine
/// was off is made up once). Pure.
UnitProperties timerProperties(const TimerSpec& spec);

/// A timer that systemd has active.
struct ActiveTimer {
    std::string unit;
    std::string description;
};

/// When a timer did elapse and will; 0 if never.
struct Elapses {
    USec last = 0;
    USec next = 0;
};

/// Transient timers, as far as Holdfast needs them. An interface, so that tests can say how they fare.
class Timers {
  public:
    virtual ~Timers() = default;

    /// The active ones whose name matches a pattern of systemctl(1). Throws `Error`.
    virtual awaitable<std::vector<ActiveTimer>> list(std::string pattern) = 0;
    /// Throws `Error` with systemd's words if it was refused.
    virtual awaitable<void> start(TimerSpec spec) = 0;
    /// Returns when the timer is gone; one that is not there is fine. Throws `Error`.
    virtual awaitable<void> stop(std::string unit) = 0;
    /// Throws `Error`, also if systemd does not know it.
    virtual awaitable<Elapses> elapses(std::string unit) = 0;
    /// `handler` is called with the name of any timer of the machine that has changed, also for those not ours.
    virtual void onChange(std::function<void(const std::string& unit)> handler) = 0;
};

/// The real ones. Its coroutines must not run any more once it or the connection is destroyed.
class BusTimers final : public Timers {
  public:
    /// Both must outlive it.
    BusTimers(sdbus::IConnection& connection, Systemd& systemd);
    ~BusTimers() override;

    awaitable<std::vector<ActiveTimer>> list(std::string pattern) override;
    awaitable<void> start(TimerSpec spec) override;
    awaitable<void> stop(std::string unit) override;
    awaitable<Elapses> elapses(std::string unit) override;
    void onChange(std::function<void(const std::string& unit)> handler) override;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace holdfast
