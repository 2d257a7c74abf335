#pragma once

#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>
#include <sdbus-c++/Types.h>

namespace holdfast {

using VariantMap = std::map<std::string, sdbus::Variant>;

/// `text` with whatever a D-Bus string may not hold (bytes that are not UTF-8, NUL, noncharacters) as U+FFFD. One such
/// string in a property would make GetManagedObjects fail for everybody.
std::string busText(std::string_view text);

/// JSON as D-Bus has it: strings, booleans, `t` for whole numbers from 0, `x` for negative ones, `d`, `as` for a list
/// of strings; anything deeper as JSON text.
sdbus::Variant toVariant(const nlohmann::json& value);

/// The members of an object; null members are left out.
VariantMap toVariantMap(const nlohmann::json& object);

} // namespace holdfast
