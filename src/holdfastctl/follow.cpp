#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/progress.hpp"
#include "holdfastctl/run_watch.hpp"

#include <chrono>

#include <fmt/format.h>

namespace holdfast::ctl {

using namespace std::chrono_literals;

namespace {

/// Nothing is missed without this; it is for a service that hangs.
constexpr auto timeBetweenReads = 30s;
/// How long the service may be away, say for an upgrade, before we give up.
constexpr int patienceForService = 60;

int exitStatusOf(const std::string& result) {
    if (result == "done") return exitWith::done;
    if (result == "cancelled") return exitWith::cancelled;
    if (result == "timeout" || result == "interrupted") return exitWith::cutShort;
    return exitWith::failed;
}

int leave(ProgressView& view, const std::string& id) {
    view.note("detached",
              fmt::format("The run goes on. 'holdfastctl follow {0}' shows it again, 'holdfastctl cancel {0}' "
                          "ends it.",
                          id.substr(0, 8)));
    return exitWith::interrupted;
}

/// Returns true when the service is back, false on a signal. Throws the last `ServiceError` when it stays away.
bool awaitService(RunWatch& watch) {
    for (int second = 1;; ++second) {
        try {
            watch.read();
            return true;
        } catch (const ServiceError& error) {
            if (error.exitStatus() != exitWith::unreachable || second == patienceForService) throw;
        }
        if (watch.wait(1s) == RunWatch::Event::Signalled) return false;
    }
}

} // namespace

int followRun(Context& context, const std::string& id) {
    const auto view = makeProgressView(context.out);
    RunWatch watch(context.client, id);
    while (!watch.finished()) {
        switch (watch.wait(timeBetweenReads)) {
        case RunWatch::Event::Changed:
            if (!watch.finished()) view->show(watch.run());
            break;
        case RunWatch::Event::Signalled:
            return leave(*view, id);
        case RunWatch::Event::ServiceGone:
            view->note("serviceGone", "The service went away; the run goes on without it. Waiting for it to be back.");
            if (!awaitService(watch)) return leave(*view, id);
            break;
        case RunWatch::Event::Nothing:
            watch.read();
            break;
        }
    }
    // Signals come one by one; the whole story is read at the end.
    watch.read();
    view->end(watch.run());
    return exitStatusOf(watch.run().value("result", ""));
}

} // namespace holdfast::ctl
