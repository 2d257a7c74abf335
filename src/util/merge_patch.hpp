#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// The JSON merge patch (RFC 7396) that makes `after` of `before`; an empty object if they are equal. Only objects are
/// compared by their members; everything else is replaced whole. A `null` in `after` cannot be said in a merge patch:
/// it comes out as absent.
nlohmann::json mergePatchBetween(const nlohmann::json& before, const nlohmann::json& after);

/// The merge patch that an assignment means: "limits.memoryMax=1G" is `{"limits":{"memoryMax":"1G"}}`. A value that is
/// JSON is taken as such, any other as text; an empty one removes the member. Throws `Error` for what is no assignment.
nlohmann::json mergePatchFrom(const std::string& assignment);

} // namespace holdfast
