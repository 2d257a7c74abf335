#include "limits_file.hpp"

#include "util/error.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <array>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/inotify.h>

namespace holdfast {

namespace {

void apply(const std::filesystem::path& file, RateLimiter& limiter) {
    const auto text = readFileIfThere(file, 64 * 1024);
    if (!text) return;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object()) {
        logWarning(fmt::format("{} is not JSON; the bandwidth stays as it is.", file.string()));
        return;
    }
    limiter.setRate(json.value("bandwidth", std::uint64_t{0}));
}

} // namespace

awaitable<void> followLimits(const Paths& paths, std::string id, RateLimiter& limiter) {
    Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify) throwErrno("watch the run's folder");
    if (::inotify_add_watch(inotify.get(), paths.live(id).c_str(), IN_MOVED_TO) < 0)
        throwErrno("watch the run's folder");
    asio::posix::stream_descriptor events(co_await asio::this_coro::executor, inotify.release());

    std::array<char, 4096> ignored;
    while (true) {
        apply(paths.limits(id), limiter);
        co_await events.async_read_some(asio::buffer(ignored), asio::use_awaitable);
    }
}

} // namespace holdfast
