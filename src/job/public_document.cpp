#include "job/public_document.hpp"

#include "job/schema.hpp"

namespace holdfast {

using nlohmann::json;

namespace {

/// Secrets are members of objects; no list in a job holds objects.
void leaveSecretsOut(json& object, const json& schema, const json::json_pointer& at, PublicDocument& shown) {
    const auto members = schema.value("properties", json::object());
    for (const auto& [name, member] : members.items()) {
        if (!object.contains(name)) continue;
        if (member.value("x-secret", false)) {
            object.erase(name);
            shown.leftOut.push_back((at / name).to_string());
        } else if (object[name].is_object()) {
            leaveSecretsOut(object[name], member, at / name, shown);
        }
    }
}

} // namespace

PublicDocument withoutSecrets(const json& document) {
    static const json schema = json::parse(jobSchemaText);
    PublicDocument shown{document, {}};
    leaveSecretsOut(shown.document, schema, json::json_pointer(), shown);
    return shown;
}

} // namespace holdfast
