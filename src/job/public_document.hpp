#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

/// A job's document as it may be shown to whoever can read its backups.
struct PublicDocument {
    nlohmann::json document;
    std::vector<std::string> leftOut; ///< JSON pointers to the members that may hold a secret and are not in it
};

/// Leaves out what the schema marks as `x-secret`. The document must be valid.
PublicDocument withoutSecrets(const nlohmann::json& document);

} // namespace holdfast
