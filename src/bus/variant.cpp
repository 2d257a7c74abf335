#include "bus/variant.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

/// Bytes of the sequence that `lead` begins; 0 if it begins none.
std::size_t sequenceLength(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead < 0xE0) return 2;
    if (lead >= 0xE0 && lead < 0xF0) return 3;
    if (lead >= 0xF0 && lead < 0xF5) return 4;
    return 0;
}

/// The rules of sd-bus: no NUL, no surrogates, no noncharacters, nothing overlong.
bool allowed(char32_t c, std::size_t length) {
    constexpr char32_t smallest[] = {0, 1, 0x80, 0x800, 0x10000};
    const bool surrogate = (c & 0xFFFFF800) == 0xD800;
    const bool noncharacter = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    return c >= smallest[length] && c < 0x110000 && !surrogate && !noncharacter;
}

/// Length of the valid character at the start of `text`, which is not empty; 0 if there is none.
std::size_t validPrefix(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = sequenceLength(lead);
    if (length == 0 || length > text.size()) return 0;
    char32_t c = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte & 0xC0) != 0x80) return 0;
        c = (c << 6) | (byte & 0x3FU);
    }
    return allowed(c, length) ? length : 0;
}

bool isListOfStrings(const nlohmann::json& value) {
    return value.is_array() && std::all_of(value.begin(), value.end(), [](const auto& v) { return v.is_string(); });
}

} // namespace

std::string busText(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = validPrefix(text);
        clean += length > 0 ? text.substr(0, length) : replacement;
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

sdbus::Variant toVariant(const nlohmann::json& value) {
    if (value.is_string()) return sdbus::Variant{busText(value.get_ref<const std::string&>())};
    if (value.is_boolean()) return sdbus::Variant{value.get<bool>()};
    if (value.is_number_unsigned()) return sdbus::Variant{value.get<std::uint64_t>()};
    if (value.is_number_integer() && value.get<std::int64_t>() >= 0) return sdbus::Variant{value.get<std::uint64_t>()};
    if (value.is_number_integer()) return sdbus::Variant{value.get<std::int64_t>()};
    if (value.is_number_float()) return sdbus::Variant{value.get<double>()};
    if (isListOfStrings(value)) {
        std::vector<std::string> list;
        for (const auto& item : value) list.push_back(busText(item.get_ref<const std::string&>()));
        return sdbus::Variant{list};
    }
    return sdbus::Variant{value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)};
}

VariantMap toVariantMap(const nlohmann::json& object) {
    VariantMap map;
    if (!object.is_object()) return map;
    for (const auto& [name, value] : object.items()) {
        if (!value.is_null()) map.emplace(busText(name), toVariant(value));
    }
    return map;
}

} // namespace holdfast
