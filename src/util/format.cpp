#include "util/format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

namespace holdfast {
namespace {

struct SpanUnit {
    USec size;
    const char* name;
};

constexpr std::array spanUnits = {
    SpanUnit{86'400 * usecPerSec, "d"},
    SpanUnit{3'600 * usecPerSec, "h"},
    SpanUnit{60 * usecPerSec, "min"},
    SpanUnit{usecPerSec, "s"},
};

std::string localTime(USec time, const char* format) {
    const auto seconds = static_cast<std::time_t>(time / usecPerSec);
    std::tm parts{};
    if (time == 0 || ::localtime_r(&seconds, &parts) == nullptr) return "-";
    char text[64];
    const auto length = std::strftime(text, sizeof text, format, &parts);
    return {text, length};
}

} // namespace

std::string formatBytes(std::uint64_t bytes) {
    static constexpr std::array units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return fmt::format("{} B", bytes);

    auto value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    // What would be rounded up to 1024 belongs to the next unit.
    while (value >= 1023.5 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    const int decimals = value < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

std::string formatRate(std::uint64_t bytesPerSecond) { return formatBytes(bytesPerSecond) + "/s"; }

std::string formatSpan(USec span) {
    if (span == 0) return "0s";
    if (span < usecPerSec) return fmt::format("{}ms", std::max<USec>(span / 1000, 1));

    const auto first =
        std::find_if(spanUnits.begin(), spanUnits.end(), [&](const SpanUnit& unit) { return span >= unit.size; });
    auto text = fmt::format("{}{}", span / first->size, first->name);
    if (const auto second = std::next(first); second != spanUnits.end()) {
        if (const auto rest = span % first->size / second->size; rest > 0)
            text += fmt::format(" {}{}", rest, second->name);
    }
    return text;
}

std::string formatLocalTime(USec time) { return localTime(time, "%Y-%m-%d %H:%M:%S"); }

std::string formatShortTime(USec time, USec now) {
    const bool thisYear = localTime(time, "%Y") == localTime(now, "%Y");
    return localTime(time, thisYear ? "%m-%d %H:%M" : "%Y-%m-%d");
}

std::string formatBar(double fraction, std::size_t width) {
    if (width < 3) return {};
    const auto room = width - 2;
    const auto held = std::isnan(fraction) ? 0.0 : std::clamp(fraction, 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(std::floor(held * static_cast<double>(room)));

    std::string bar(filled, '=');
    if (filled < room) bar += '>';
    bar.resize(room, ' ');
    return "[" + bar + "]";
}

} // namespace holdfast
