#pragma once

#include "unit/properties.hpp"
#include "util/asio.hpp"

#include <functional>
#include <memory>
#include <string>

#include <sdbus-c++/sdbus-c++.h>

namespace holdfast {

/// systemd's manager on the bus (org.freedesktop.systemd1(5)). All calls are asynchronous.
class Systemd {
  public:
    /// `connection` must outlive it.
    explicit Systemd(sdbus::IConnection& connection);
    ~Systemd();

    /// StartTransientUnit in mode "fail"; returns when the start job has ended. Throws `Error` with systemd's words if
    /// it was refused or failed.
    awaitable<void> start(std::string unit, UnitProperties properties);
    /// StopUnit in mode "replace"; returns when accepted. A unit that is not there is fine.
    awaitable<void> stop(std::string unit);
    /// Whether the unit is loaded and not inactive: a unit that is cleaning up still counts.
    awaitable<bool> isLive(std::string unit);
    /// Returns once the unit is gone (ended, with its ExecStopPost, and unloaded).
    awaitable<void> untilGone(std::string unit);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace holdfast
