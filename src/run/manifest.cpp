#include "run/manifest.hpp"

#include "util/error.hpp"
#include "util/id.hpp"

#include <fmt/format.h>

namespace holdfast {

std::string serialize(const Manifest& m) {
    auto objects = nlohmann::json::array();
    for (const auto& o : m.objects) objects.push_back({{"name", o.name}, {"size", o.size}, {"sha256", o.sha256}});
    nlohmann::json json{{"version", 1},
                        {"run", m.run},
                        {"job", m.job},
                        {"host", m.host},
                        {"source", m.source},
                        {"startedAt", m.startedAt},
                        {"finishedAt", m.finishedAt},
                        {"stream",
                         {{"format", m.stream.format},
                          {"compression", m.stream.compression},
                          {"size", m.stream.size},
                          {"sha256", m.stream.sha256}}},
                        {"objects", std::move(objects)},
                        {"tools", m.tools}};
    if (!m.sourceFields.is_null()) json[m.source] = m.sourceFields;
    return json.dump(2) + "\n";
}

Manifest parseManifest(const std::string& text) {
    try {
        const auto json = nlohmann::json::parse(text);
        if (const auto version = json.at("version"); version != 1) {
            throw Error(fmt::format("The manifest has version {}; this Holdfast reads version 1. Use a newer one.",
                                    version.dump()));
        }
        Manifest m;
        json.at("run").get_to(m.run);
        json.at("job").get_to(m.job);
        json.at("host").get_to(m.host);
        json.at("source").get_to(m.source);
        json.at("startedAt").get_to(m.startedAt);
        json.at("finishedAt").get_to(m.finishedAt);
        const auto& stream = json.at("stream");
        m.stream = {stream.at("format"), stream.at("compression"), stream.at("size"), stream.at("sha256")};
        for (const auto& o : json.at("objects")) m.objects.push_back({o.at("name"), o.at("size"), o.at("sha256")});
        if (const auto fields = json.find(m.source); fields != json.end()) m.sourceFields = *fields;
        m.tools = json.value("tools", nlohmann::json::object());
        if (!isId(m.run) || m.objects.empty()) throw Error("The manifest names no run or no object.");
        return m;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not a manifest: {}", e.what()));
    }
}

} // namespace holdfast
