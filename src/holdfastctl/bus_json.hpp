#pragma once

#include <map>
#include <string>

#include <nlohmann/json_fwd.hpp>
#include <sdbus-c++/Types.h>

namespace holdfast::ctl {

using VariantMap = std::map<std::string, sdbus::Variant>;

/// A value as JSON; null for a type that the API does not use.
nlohmann::json toJson(const sdbus::Variant& value);

/// Properties as JSON, named as in job documents: `BytesDone` is "bytesDone".
nlohmann::json toJson(const VariantMap& properties);

} // namespace holdfast::ctl
