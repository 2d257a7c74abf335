#include "transfer/stall.hpp"

#include "util/async.hpp"

namespace holdfast {

awaitable<void> untilStalled(const Progress& progress, std::chrono::microseconds limit) {
    while (true) {
        const auto idle = progress.idle(Progress::Clock::now());
        if (idle >= limit) co_return;
        co_await sleepFor(limit - idle);
    }
}

} // namespace holdfast
