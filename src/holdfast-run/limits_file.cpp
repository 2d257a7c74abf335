#include "limits_file.hpp"

#include "util/async.hpp"
#include "util/error.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <array>
#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/inotify.h>

namespace holdfast {

namespace {

constexpr auto limitsInterval = std::chrono::seconds(5);

void apply(const std::filesystem::path& file, RateLimiter& limiter) {
    const auto text = readFileIfThere(file, 64 * 1024);
    if (!text) return;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object()) throw Error(fmt::format("{} is not JSON.", file.string()));
    limiter.setRate(json.value("bandwidth", std::uint64_t{0}));
}

Fd watchForLimits(const std::filesystem::path& folder) {
    Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify || ::inotify_add_watch(inotify.get(), folder.c_str(), IN_MOVED_TO) < 0)
        throwErrno("watch the run's folder");
    return inotify;
}

/// A run with the wrong share of the bandwidth is better than none.
void warnOfOldShare(const std::exception& e) {
    static bool warned = false;
    if (!std::exchange(warned, true)) {
        logWarning(fmt::format("The run goes on, but its share of the bandwidth may be an old one: {}", e.what()));
    }
}

} // namespace

awaitable<void> followLimits(const Paths& paths, std::string id, RateLimiter& limiter) {
    asio::posix::stream_descriptor events(co_await asio::this_coro::executor);
    try {
        events.assign(watchForLimits(paths.live(id)).release());
    } catch (const std::system_error& e) {
        warnOfOldShare(e); // a user of the machine may have no more watches to give
    }
    std::array<char, 4096> ignored{};
    while (true) {
        try {
            apply(paths.limits(id), limiter);
        } catch (const std::exception& e) {
            warnOfOldShare(e);
        }
        if (events.is_open())
            co_await events.async_read_some(asio::buffer(ignored), asio::use_awaitable);
        else
            co_await sleepFor(limitsInterval);
    }
}

} // namespace holdfast
