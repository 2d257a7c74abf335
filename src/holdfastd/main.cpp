#include "bus/callers.hpp"
#include "bus/job_requests.hpp"
#include "bus/loop.hpp"
#include "bus/outbox.hpp"
#include "bus/polkit.hpp"
#include "bus/services.hpp"
#include "bus/tree.hpp"
#include "unit/probe.hpp"
#include "unit/systemd.hpp"
#include "unit/timers.hpp"
#include "util/log.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace {

using namespace holdfast;

constexpr auto busName = "org.holdfast1";
/// Whoever calls first shall see when jobs run next, but not wait for a systemd that is stuck.
constexpr auto timersLimit = std::chrono::seconds(20);

void reload(Tree& tree) {
    ::sd_notify(0, "RELOADING=1");
    try {
        tree.reload();
    } catch (const std::exception& e) {
        logError(fmt::format("Reload: {}", e.what()));
    }
    ::sd_notify(0, "READY=1");
}

awaitable<void> obeySignals(asio::io_context& io, Tree& tree) {
    asio::signal_set signals(io, SIGTERM, SIGINT, SIGHUP);
    while (co_await signals.async_wait(asio::use_awaitable) == SIGHUP) reload(tree);
    ::sd_notify(0, "STOPPING=1");
    io.stop();
}

/// Runs go on without us, and all that we know is in files. So whatever still waits here is simply dropped, in no
/// order.
[[noreturn]] void leave(int status) { std::_Exit(status); }

/// With broken settings the service comes up all the same, to say so: whoever calls it would wait in vain.
Settings settingsOr(const Paths& paths, std::string& fault) {
    try {
        return loadSettings(paths.settings());
    } catch (const std::exception& e) {
        fault = e.what();
        logError(fmt::format("Nothing is started until the settings are mended: {}", fault));
        return {};
    }
}

[[noreturn]] void serve() {
    const Paths paths;
    std::string settingsFault;
    Settings settings = settingsOr(paths, settingsFault);
    JobStore jobs(paths.jobs());
    jobs.reload();
    logBrokenJobs(jobs);
    History history(paths.history(), [](const std::filesystem::path& aside) {
        logAlert(fmt::format("The history was corrupt: what was known of past runs is lost from view. It is kept as {} "
                             "(sqlite3 may recover it), and a new one was begun.",
                             aside.string()));
    });

    asio::io_context io(1);
    const auto bus = sdbus::createSystemBusConnection();
    BusLoop loop(io, *bus);
    try {
        BusSystemd systemd(*bus);
        Dispatcher dispatcher(io, paths, systemd, history, settings);
        loop.runUntilDone(dispatcher.recover());

        BusTimers timers(*bus, systemd);
        Schedules schedules(io, paths, timers, backupTimers(paths));
        BusTimers timersOfDrills(*bus, systemd);
        Schedules drills(io, paths, timersOfDrills, drillTimers(paths));
        Prober prober(paths, systemd);
        Callers callers(io, *bus);
        Polkit polkit(*bus, callers);
        Outbox outbox(io);
        Services services{paths,  settings, jobs,    history, dispatcher, schedules,
                          drills, prober,   callers, polkit,  outbox};
        services.settingsFault = settingsFault;
        services.settingsKnown = settingsFault.empty();
        Tree tree(io, *bus, services);
        asio::co_spawn(io, obeySignals(io, tree), asio::detached);

        loop.runUntilDone(schedules.settled(timersLimit));
        loop.runUntilDone(drills.settled(timersLimit));

        // Only now: whoever finds the name finds all that is behind it.
        tree.announce();
        bus->requestName(compat::ServiceName(busName));
        ::sd_notify(0, "READY=1");
        tree.checkJobs();
        loop.run();
        bus->releaseName(compat::ServiceName(busName));
    } catch (const std::exception& e) {
        logError(fmt::format("holdfastd ends: {}", e.what()));
        leave(EXIT_FAILURE);
    }
    leave(EXIT_SUCCESS);
}

} // namespace

int main() {
    try {
        serve();
    } catch (const std::exception& e) {
        logError(fmt::format("holdfastd cannot start: {}", e.what()));
        return EXIT_FAILURE;
    }
}
