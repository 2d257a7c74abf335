#include "util/merge_patch.hpp"

#include "util/error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using nlohmann::json;

json mergePatchBetween(const json& before, const json& after) {
    if (!after.is_object() || !before.is_object()) return after;

    json patch = json::object();
    for (const auto& [key, value] : before.items()) {
        if (!after.contains(key)) patch[key] = nullptr;
    }
    for (const auto& [key, value] : after.items()) {
        if (!before.contains(key)) {
            patch[key] = value;
        } else if (before[key] != value) {
            patch[key] = mergePatchBetween(before[key], value);
        }
    }
    return patch;
}

json mergePatchFrom(const std::string& assignment) {
    const auto equals = assignment.find('=');
    if (equals == 0 || equals == std::string::npos) {
        throw Error(fmt::format("\"{}\" is not of the form key=value.", assignment));
    }
    const auto value = assignment.substr(equals + 1);
    json patch = value.empty() ? json(nullptr) : json::parse(value, nullptr, false);
    if (patch.is_discarded()) patch = value;

    auto path = assignment.substr(0, equals);
    for (auto dot = path.rfind('.'); dot != std::string::npos; dot = path.rfind('.')) {
        patch = json::object({{path.substr(dot + 1), patch}});
        path.resize(dot);
    }
    return json::object({{path, patch}});
}

} // namespace holdfast
