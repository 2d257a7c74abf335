#pragma once

#include "run/progress.hpp"
#include "util/asio.hpp"

#include <chrono>

namespace holdfast {

/// Returns when nothing has moved for `limit`. rclone's own --timeout is for idle connections only and has let uploads
/// hang for hours (rclone issue 9841). `progress` must outlive it.
awaitable<void> untilStalled(const Progress& progress, std::chrono::microseconds limit);

} // namespace holdfast
