#include "run/manifest.hpp"

#include "util/error.hpp"
#include "util/id.hpp"
#include "util/json.hpp"

#include <fmt/format.h>

namespace holdfast {

namespace {

nlohmann::json toJson(const Manifest::Stream& stream) {
    return {{"format", stream.format},
            {"compression", stream.compression},
            {"size", stream.size},
            {"sha256", stream.sha256}};
}

nlohmann::json toJson(const Manifest::Copy& copy) {
    nlohmann::json json{{"layout", copy.layout}, {"files", copy.files}, {"bytes", copy.bytes}, {"hash", copy.hash}};
    if (!copy.flags.empty()) json["flags"] = copy.flags;
    if (!copy.compared.empty()) json["compared"] = copy.compared;
    if (!copy.changed.empty()) json["changed"] = copy.changed;
    return json;
}

void readContent(const nlohmann::json& json, Manifest& m) {
    if (const auto stream = json.find("stream"); stream != json.end()) {
        m.stream = Manifest::Stream{stream->at("format"), stream->at("compression"),
                                    natural<std::uint64_t>(*stream, "size"), stream->at("sha256")};
    }
    if (const auto copy = json.find("copy"); copy != json.end()) {
        m.copy = Manifest::Copy{copy->at("layout"), natural<std::uint64_t>(*copy, "files"),
                                natural<std::uint64_t>(*copy, "bytes"), copy->at("hash")};
        if (const auto flags = copy->find("flags"); flags != copy->end()) flags->get_to(m.copy->flags);
        m.copy->compared = copy->value("compared", "");
        m.copy->changed = copy->value("changed", std::vector<std::string>{});
    }
    for (const auto& o : json.at("objects")) {
        Manifest::Object object{o.at("name"), natural<std::uint64_t>(o, "size"), o.at("sha256")};
        if (const auto hashes = o.find("hashes"); hashes != o.end()) hashes->get_to(object.hashes);
        m.objects.push_back(std::move(object));
    }
    if (m.stream.has_value() == m.copy.has_value()) throw Error("The manifest is of neither a stream nor a copy.");
}

/// Of what each source makes its backups.
std::string formatOfSource(const std::string& source) {
    static const std::map<std::string, std::string> formats{
        {"none", "copy"}, {"script", "copy"}, {"flash", "tar"}, {"docker", "tar"}, {"zfs", "zfs-send"}};
    const auto found = formats.find(source);
    if (found != formats.end()) return found->second;
    throw Error("The manifest is of a source that this Holdfast does not know. Use a newer one.");
}

/// Where it goes and what may be done there are chosen by the one and by the other.
void demandOwnFormat(const Manifest& m) {
    const auto wanted = formatOfSource(m.source);
    if (formatOf(m) == wanted) return;
    throw Error(fmt::format("The manifest disagrees with itself: a backup of a source of type {} is \"{}\" and not "
                            "\"{}\". Somebody has changed it at the remote.",
                            m.source, wanted, formatOf(m)));
}

} // namespace

std::string formatOf(const Manifest& manifest) { return manifest.stream ? manifest.stream->format : "copy"; }

std::string serialize(const Manifest& m) {
    auto objects = nlohmann::json::array();
    for (const auto& o : m.objects) {
        objects.push_back({{"name", o.name}, {"size", o.size}, {"sha256", o.sha256}});
        if (!o.hashes.empty()) objects.back()["hashes"] = o.hashes;
    }
    nlohmann::json json{{"version", 1},
                        {"run", m.run},
                        {"job", m.job},
                        {"host", m.machine.host},
                        {"source", m.source},
                        {"startedAt", m.startedAt},
                        {"finishedAt", m.finishedAt},
                        {"objects", std::move(objects)},
                        {"tools", m.tools}};
    if (!m.machine.id.empty()) json["machine"] = m.machine.id;
    if (m.stream) json["stream"] = toJson(*m.stream);
    if (m.copy) json["copy"] = toJson(*m.copy);
    if (!m.sourceFields.is_null()) json[m.source] = m.sourceFields;
    if (!m.jobDocument.is_null()) json["jobDocument"] = m.jobDocument;
    if (!m.jobDocumentLacks.empty()) json["jobDocumentLacks"] = m.jobDocumentLacks;
    return json.dump(2) + "\n";
}

bool isMadeBy(const Manifest& m, const Machine& machine) {
    const bool told = !m.machine.id.empty() && !machine.id.empty();
    return told ? m.machine.id == machine.id : m.machine.host == machine.host;
}

Manifest parseManifest(const std::string& text) {
    try {
        const auto json = parseShallow(text);
        if (const auto& version = json.at("version"); version != 1) {
            throw Error(fmt::format("The manifest has version {}; this Holdfast reads version 1. Use a newer one.",
                                    version.dump()));
        }
        Manifest m;
        json.at("run").get_to(m.run);
        json.at("job").get_to(m.job);
        json.at("host").get_to(m.machine.host);
        m.machine.id = json.value("machine", "");
        json.at("source").get_to(m.source);
        readNatural(json, "startedAt", m.startedAt);
        readNatural(json, "finishedAt", m.finishedAt);
        readContent(json, m);
        demandOwnFormat(m);
        if (const auto fields = json.find(m.source); fields != json.end()) m.sourceFields = *fields;
        m.tools = json.value("tools", nlohmann::json::object());
        if (const auto document = json.find("jobDocument"); document != json.end()) m.jobDocument = *document;
        m.jobDocumentLacks = json.value("jobDocumentLacks", std::vector<std::string>{});
        if (!isId(m.run) || m.objects.empty()) throw Error("The manifest names no run or no object.");
        return m;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not a manifest: {}", e.what()));
    }
}

} // namespace holdfast
