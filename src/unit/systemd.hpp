#pragma once

#include "unit/properties.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <memory>
#include <string>

#include <sdbus-c++/sdbus-c++.h>

namespace holdfast {

/// systemd's manager, as far as Holdfast needs it. An interface, so that tests can say how units fare.
class Systemd {
  public:
    virtual ~Systemd() = default;

    /// StartTransientUnit in mode "fail"; returns when the start job has ended. Throws `Error` with systemd's words if
    /// it was refused or failed.
    virtual awaitable<void> start(std::string unit, UnitProperties properties) = 0;
    /// StopUnit in mode "replace"; returns when accepted. A unit that is not there is fine. Throws `Error`.
    virtual awaitable<void> stop(std::string unit) = 0;
    /// Whether the unit is loaded and not inactive: a unit that is cleaning up still counts. Throws `Error`.
    virtual awaitable<bool> isLive(std::string unit) = 0;
    /// Returns once the unit is gone (ended, with its ExecStopPost). Waits as long as it takes, also while systemd does
    /// not answer.
    virtual awaitable<void> untilGone(std::string unit) = 0;
};

/// How a unit ended, or is ending.
struct UnitEnd {
    std::string result;    ///< "success", "exit-code", "signal", "timeout", "oom-kill", …: systemd.service(5)
    int code = 0;          ///< of waitid(2): CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 while the main process lives
    int status = 0;        ///< exit status or signal
    std::uint64_t ran = 0; ///< µs for which the main process lived
};

/// The real one: org.freedesktop.systemd1(5). All calls are asynchronous. Its coroutines must not run any more once it
/// or the connection is destroyed.
class BusSystemd final : public Systemd {
  public:
    /// `connection` must outlive it.
    explicit BusSystemd(sdbus::IConnection& connection);
    ~BusSystemd() override;

    awaitable<void> start(std::string unit, UnitProperties properties) override;
    awaitable<void> stop(std::string unit) override;
    awaitable<bool> isLive(std::string unit) override;
    awaitable<void> untilGone(std::string unit) override;

    /// Waits until a unit that was started with the property AddRef has ended, or is ending and has failed already.
    /// Throws `Error` if systemd does not know it any more.
    awaitable<UnitEnd> untilEnded(std::string unit);
    /// Whether a job to stop the unit waits or runs. Throws `Error`.
    awaitable<bool> isBeingStopped(std::string unit);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace holdfast
