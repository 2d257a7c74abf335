#include "job/units.hpp"

#include "job/document.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit sizeUnits[] = {{"", 1},           {"B", 1},          {"K", 1ULL << 10}, {"M", 1ULL << 20},
                              {"G", 1ULL << 30}, {"T", 1ULL << 40}, {"P", 1ULL << 50}, {"E", 1ULL << 60}};

constexpr USec minute = 60 * usecPerSec;
constexpr USec hour = 60 * minute;
constexpr USec day = 24 * hour;
constexpr USec month = 2'629'800 * usecPerSec; // as systemd counts: 365.25 days / 12
constexpr USec year = 31'557'600 * usecPerSec;

constexpr Unit timeUnits[] = {{"", usecPerSec},
                              {"us", 1},
                              {"usec", 1},
                              {"µs", 1},
                              {"ms", 1000},
                              {"msec", 1000},
                              {"s", usecPerSec},
                              {"sec", usecPerSec},
                              {"second", usecPerSec},
                              {"seconds", usecPerSec},
                              {"m", minute},
                              {"min", minute},
                              {"minute", minute},
                              {"minutes", minute},
                              {"h", hour},
                              {"hr", hour},
                              {"hour", hour},
                              {"hours", hour},
                              {"d", day},
                              {"day", day},
                              {"days", day},
                              {"w", 7 * day},
                              {"week", 7 * day},
                              {"weeks", 7 * day},
                              {"M", month},
                              {"month", month},
                              {"months", month},
                              {"y", year},
                              {"year", year},
                              {"years", year}};

bool isDigit(char c) { return c >= '0' && c <= '9'; }

void skipSpaces(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(' '), text.size())); }

std::string_view takeWhile(std::string_view& text, bool (*wanted)(char)) {
    const auto end = std::find_if_not(text.begin(), text.end(), wanted);
    const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(taken.size());
    return taken;
}

/// A decimal number, before it is known what it counts.
struct Decimal {
    std::uint64_t whole = 0;
    long double fraction = 0;

    /// Nothing if the product is not a 64-bit number.
    [[nodiscard]] std::optional<std::uint64_t> times(std::uint64_t factor) const {
        if (whole > largest / factor) return std::nullopt;
        const auto product = whole * factor;
        const auto rest = static_cast<std::uint64_t>(std::llround(fraction * static_cast<long double>(factor)));
        if (rest > largest - product) return std::nullopt;
        return product + rest;
    }
};

/// Takes digits with an optional fraction off the front of `text`; nothing if there are none.
std::optional<Decimal> takeDecimal(std::string_view& text) {
    Decimal decimal;
    const auto digits = takeWhile(text, isDigit);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), decimal.whole);
    if (digits.empty() || error != std::errc{}) return std::nullopt;
    if (!text.starts_with('.')) return decimal;

    text.remove_prefix(1);
    const auto fraction = takeWhile(text, isDigit);
    if (fraction.empty()) return std::nullopt;
    long double weight = 1;
    for (const char digit : fraction) {
        weight /= 10;
        decimal.fraction += weight * static_cast<long double>(digit - '0');
    }
    return decimal;
}

template<std::size_t size>
std::optional<std::uint64_t> factorOf(std::string_view name, const Unit (&units)[size]) {
    const auto unit = std::find_if(std::begin(units), std::end(units), [&](const Unit& u) { return u.name == name; });
    if (unit == std::end(units)) return std::nullopt;
    return unit->factor;
}

/// One number with its unit off the front of `text`.
template<std::size_t size>
std::optional<std::uint64_t> takeQuantity(std::string_view& text, const Unit (&units)[size]) {
    const auto decimal = takeDecimal(text);
    if (!decimal) return std::nullopt;
    skipSpaces(text);
    const auto factor = factorOf(takeWhile(text, [](char c) { return !isDigit(c) && c != ' ' && c != '.'; }), units);
    if (!factor) return std::nullopt;
    skipSpaces(text);
    return decimal->times(*factor);
}

} // namespace

std::uint64_t parseSize(std::string_view text) {
    auto rest = text;
    const auto size = takeQuantity(rest, sizeUnits);
    if (size && rest.empty()) return *size;
    throw Error(fmt::format("{} is not a size: write bytes, or a number with K, M, G or T such as 512M or 1.5G{}",
                            shown(text), text.ends_with('%') ? "; percentages are not accepted" : ""));
}

USec parseTimeSpan(std::string_view text) {
    auto rest = text;
    skipSpaces(rest);
    USec total = 0;
    bool valid = !rest.empty();
    while (valid && !rest.empty()) {
        const auto part = takeQuantity(rest, timeUnits);
        valid = part && *part <= largest - total;
        if (valid) total += *part;
    }
    if (valid) return total;
    throw Error(fmt::format("{} is not a time span: write seconds, or numbers with units such as 90s, 1h 30min or 12h",
                            shown(text)));
}

std::uint64_t parseCpuQuota(std::string_view text) {
    auto rest = text;
    if (const auto percent = takeDecimal(rest); percent && rest == "%") {
        if (const auto quota = percent->times(usecPerSec / 100); quota && *quota > 0) return *quota;
    }
    throw Error(fmt::format("{} is not a CPU quota: write percent of one processor, such as 50% or 200%", shown(text)));
}

} // namespace holdfast
