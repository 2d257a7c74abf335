#include "probe.hpp"
#include "worker.hpp"

#include "run/paths.hpp"
#include "util/id.hpp"
#include "util/log.hpp"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

namespace {

using namespace holdfast;

constexpr int exitUsage = 2;

/// Runs the task to its end. SIGTERM cancels it, and it ends what it started in order.
int run(awaitable<int> task) {
    asio::io_context io(1);
    asio::cancellation_signal stop;
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code failed, int) {
        if (!failed) stop.emit(asio::cancellation_type::terminal);
    });
    std::exception_ptr failure;
    int status = EXIT_FAILURE;
    asio::co_spawn(io, std::move(task),
                   asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr thrown, int code) {
                       failure = thrown;
                       status = code;
                       signals.cancel();
                   }));
    io.run();
    if (failure) std::rethrow_exception(failure);
    return status;
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN); // a reader that is gone is an error of the write
    const std::string_view mode = argc == 3 ? argv[1] : "";
    const std::string id = argc >= 2 ? argv[argc - 1] : "";
    if (argc > 3 || !isId(id) || (argc == 3 && mode != "--cleanup" && mode != "--probe")) {
        fmt::print(stderr, "usage: holdfast-run [--cleanup | --probe] ID\n"
                           "Started by holdfast.service for each run; holdfastctl(1) is for people.\n");
        return exitUsage;
    }
    try {
        const Paths paths;
        if (mode == "--cleanup") return run(cleanUp(paths, id));
        if (mode == "--probe") return run(probe(paths, id));
        return run(work(paths, id));
    } catch (const std::exception& e) {
        logError(e.what());
        return EXIT_FAILURE;
    }
}
