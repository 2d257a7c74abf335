#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast {

/// Parses text that may come from anybody. Throws `nlohmann::json::parse_error`, and `Error` if it is nested more than
/// `maxDepth` levels deep: copying and writing such a value takes as much of the stack.
nlohmann::json parseShallow(const std::string& text, int maxDepth = 32);

/// In one line. What other programs said, or files are called, need not be UTF-8; JSON must be, so that each such byte
/// becomes U+FFFD.
std::string compact(const nlohmann::json& value);

/// The member's value, which must be a whole number from 0 to `most`; nlohmann's own conversion makes a large number of
/// -1, and anything of 1e30. Throws `Error`, and `nlohmann::json::out_of_range` if there is no such member.
std::uint64_t naturalNumber(const nlohmann::json& object, const char* member, std::uint64_t most);

template<std::unsigned_integral Number>
void readNatural(const nlohmann::json& object, const char* member, Number& to) {
    to = static_cast<Number>(naturalNumber(object, member, std::numeric_limits<Number>::max()));
}

template<std::unsigned_integral Number>
Number natural(const nlohmann::json& object, const char* member) {
    Number number{};
    readNatural(object, member, number);
    return number;
}

} // namespace holdfast
