#include "documents.hpp"

#include <fstream>

namespace holdfast::test {

using nlohmann::json;

json minimal(const std::string& type) {
    json document{{"name", "nightly"}, {"remoteName", "b2"}, {"preprocessType", type}};
    if (type == "none") document["sourcePath"] = "/srv/data";
    if (type == "zfs") document["preprocessConfig"]["zfs"]["poolName"] = "tank/data";
    if (type == "flash") document["preprocessConfig"]["flash"] = json::object();
    if (type == "script") document["preprocessConfig"]["script"]["scriptPath"] = "/opt/dump.sh";
    if (type == "docker") document["preprocessConfig"]["docker"]["containerName"] = "web";
    return document;
}

json with(json document, const std::string& pointer, json value) {
    document[json::json_pointer(pointer)] = std::move(value);
    return document;
}

json without(json document, const std::string& pointer) {
    const json::json_pointer path(pointer);
    document.at(path.parent_pointer()).erase(path.back());
    return document;
}

std::vector<Problem> problemsOf(const json& document) {
    try {
        parseJob(document);
        return {};
    } catch (const InvalidJob& invalid) {
        return invalid.problems();
    }
}

std::vector<Problem> problemsOfText(const std::string& text) {
    try {
        parseJob(text);
        return {};
    } catch (const InvalidJob& invalid) {
        return invalid.problems();
    }
}

std::vector<std::string> codesOf(const json& document) {
    std::vector<std::string> codes;
    for (const auto& problem : problemsOf(document)) codes.push_back(problem.pointer + " " + problem.code);
    return codes;
}

void writeFile(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

} // namespace holdfast::test
