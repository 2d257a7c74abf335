#pragma once

#include "util/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

/// What the name of an object or folder of a run says: "<job>-<UTC>-<id8>" and what follows (Plan::objectName).
struct RunName {
    std::string stem; ///< "<job>-<UTC>-<id8>"
    std::string job;
    USec queuedAt = 0;
    std::string idPart; ///< the first 8 digits of the run's id
    std::string rest;   ///< ".tar.zst", ".files.jsonl", ".tar.manifest.json"; empty for a folder
};

/// Nothing for a name that no run would give: whatever is removed by its name must have such a one.
std::optional<RunName> parseRunName(std::string_view name);

} // namespace holdfast
