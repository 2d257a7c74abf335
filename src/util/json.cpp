#include "util/json.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace holdfast {

using nlohmann::json;

json parseShallow(const std::string& text, int maxDepth) {
    return json::parse(text, [maxDepth](int depth, json::parse_event_t event, const json&) {
        const bool deeper = event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
        if (deeper && depth >= maxDepth) throw Error(fmt::format("It is nested more than {} levels deep.", maxDepth));
        return true;
    });
}

std::string compact(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::uint64_t naturalNumber(const json& object, const char* member, std::uint64_t most) {
    const auto& value = object.at(member);
    const bool natural = value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    if (!natural || value.get<std::uint64_t>() > most) {
        throw Error(
            fmt::format("\"{}\" must be a whole number from 0 to {}, but is {}.", member, most, compact(value)));
    }
    return value.get<std::uint64_t>();
}

} // namespace holdfast
