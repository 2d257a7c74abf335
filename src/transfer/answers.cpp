#include "transfer/answers.hpp"

#include "util/json.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using nlohmann::json;

namespace {

/// What `read` makes of the parsed answer.
template<typename Read>
auto answered(const std::string& text, const std::string& doing, Read read) {
    const auto refuse = [&]() -> TransferError {
        return {fmt::format("Could not {}: rclone's answer is not the JSON that it should be.", doing), true};
    };
    try {
        return read(json::parse(text));
    } catch (const json::exception&) {
        throw refuse();
    } catch (const Error&) {
        throw refuse();
    }
}

/// 0 for -1: the remote does not tell.
std::uint64_t sizeOf(const json& file) { return file.at("Size") == -1 ? 0 : natural<std::uint64_t>(file, "Size"); }

/// What rclone has for a precision where there is none: a hundred years, in nanoseconds.
constexpr std::int64_t noTimes = 100 * 365 * 24 * std::int64_t{3600} * 1'000'000'000;

/// Such a one hides where the remotes beneath it begin.
bool wrapsOthers(const json& features) {
    const auto text = features.value("String", "");
    return features.value("Features", json::object()).value("UnWrap", false) || text.starts_with("union ") ||
           text.starts_with("combine ");
}

} // namespace

json parseAnswer(const std::string& text, const std::string& doing) {
    return answered(text, doing, [](json answer) { return answer; });
}

RemoteFeatures parseFeatures(const std::string& text, const std::string& doing) {
    return answered(text, doing, [](const json& answer) {
        const auto flags = answer.value("Features", json::object());
        RemoteFeatures features{.streams = flags.value("PutStream", false),
                                .hashes = {},
                                .about = flags.value("About", false),
                                .local = flags.value("IsLocal", false),
                                .slowHash = flags.value("SlowHash", false),
                                .times = answer.value("Precision", std::int64_t{0}) < noTimes,
                                .buckets = flags.value("BucketBased", false) && !wrapsOthers(answer),
                                .root = answer.value("Root", "")};
        if (const auto hashes = answer.find("Hashes"); hashes != answer.end() && hashes->is_array()) {
            hashes->get_to(features.hashes);
        }
        return features;
    });
}

std::optional<RemoteObject> parseStat(const std::string& text, const std::string& hash, const std::string& doing) {
    return answered(text, doing, [&](const json& answer) -> std::optional<RemoteObject> {
        if (answer.is_null() || answer.value("IsDir", false)) return std::nullopt; // null: rclone ≥ 1.64
        RemoteObject found{.size = sizeOf(answer), .hash = {}};
        if (const auto hashes = answer.find("Hashes"); !hash.empty() && hashes != answer.end()) {
            if (const auto value = hashes->value(hash, ""); !value.empty()) found.hash = value;
        }
        return found;
    });
}

std::vector<FolderEntry> parseFolder(const std::string& text, const std::string& doing) {
    return answered(text, doing, [](const json& answer) {
        std::vector<FolderEntry> files;
        for (const auto& file : answer) {
            files.push_back({file.at("Name").get<std::string>(), sizeOf(file), file.value("IsDir", false)});
        }
        return files;
    });
}

std::vector<std::string> parsePaths(const std::string& text, const std::string& doing) {
    return answered(text, doing, [](const json& answer) {
        std::vector<std::string> paths;
        for (const auto& file : answer) paths.push_back(file.at("Path").get<std::string>());
        return paths;
    });
}

std::vector<FolderEntry> parsePendingUploads(const std::string& text, const std::string& folder,
                                             const std::string& doing) {
    return answered(text, doing, [&](const json& answer) {
        std::vector<FolderEntry> uploads;
        for (const auto& [bucket, ofBucket] : answer.items()) {
            for (const auto& upload : ofBucket) {
                // rclone asks for keys that begin with the folder's name, which those of "backups-old" do as well.
                const auto path = bucket + "/" + upload.at("Key").get<std::string>();
                const auto nameAt = path.rfind('/') + 1;
                if (folder.ends_with(":" + path.substr(0, nameAt - 1)))
                    uploads.push_back({path.substr(nameAt), 0, false, true});
            }
        }
        return uploads;
    });
}

void takeListedLine(std::string line, const std::string& hash, FileList& files, const std::string& doing) {
    while (!line.empty() && (line.back() == ',' || line.back() == '\n')) line.pop_back();
    if (line.empty() || line == "[" || line == "]") return;
    answered(line, doing, [&](const json& entry) {
        ListedFile file;
        file.size = sizeOf(entry);
        if (const auto hashes = entry.find("Hashes"); hashes != entry.end()) file.hash = hashes->value(hash, "");
        files[entry.at("Path").get<std::string>()] = std::move(file);
    });
}

} // namespace holdfast
