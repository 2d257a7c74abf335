#include "util/time.hpp"

#include <chrono>
#include <ctime>

namespace holdfast {

USec nowUSec() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<USec>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

std::string utcStamp(USec time) {
    const auto seconds = static_cast<std::time_t>(time / usecPerSec);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    const auto length = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
    return {text, length};
}

} // namespace holdfast
