#pragma once

#include "job/job.hpp"

#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// The most problems of one document that are listed.
constexpr std::size_t maxProblems = 100;

/// Everything in which `document` breaks job.schema.json; nothing if it is valid. The document has been through
/// checkBounds(). Where a value has the wrong type or is too long, that alone is said of it.
std::vector<Problem> checkAgainstSchema(const nlohmann::json& document);

/// Whether `problems` say something about the field at `pointer` already, so that one mistake is reported once.
bool isReported(const std::vector<Problem>& problems, std::string_view pointer);

} // namespace holdfast
