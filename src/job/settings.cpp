#include "job/settings.hpp"

#include "job/document.hpp"
#include "job/units.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using nlohmann::json;

namespace {

/// A setting: what may be written, and how it is read. The reader gives false for what may not.
struct Key {
    std::string allowed;
    std::function<bool(Settings&, const json&)> read;
};

Key count(std::uint32_t Settings::*member, std::uint32_t least, std::uint32_t most) {
    return {fmt::format("a whole number from {} to {}", least, most), [=](Settings& settings, const json& value) {
                if (!value.is_number_unsigned()) return false;
                const auto number = value.get<std::uint64_t>();
                if (number < least || number > most) return false;
                settings.*member = static_cast<std::uint32_t>(number);
                return true;
            }};
}

std::optional<USec> duration(const json& value) {
    if (value.is_string()) return parseTimeSpan(value.get<std::string>());
    if (!value.is_number()) return std::nullopt;
    const auto seconds = value.get<double>();
    if (seconds < 0 || seconds > 1e10) return std::nullopt;
    return static_cast<USec>(std::llround(seconds * static_cast<double>(usecPerSec)));
}

Key duration(USec Settings::*member, double least, double most) {
    return {fmt::format("from {} to {} seconds, as a number or as a time span such as \"5min\"", least, most),
            [=](Settings& settings, const json& value) {
                const auto time = duration(value);
                const auto usecs = [](double seconds) { return static_cast<USec>(seconds * double{usecPerSec}); };
                if (!time || *time < usecs(least) || *time > usecs(most)) return false;
                settings.*member = *time;
                return true;
            }};
}

Key bandwidth(std::uint64_t Settings::*member) {
    return {"bytes a second, as a whole number or as a size such as \"100M\"; 0 means no limit",
            [=](Settings& settings, const json& value) {
                if (!value.is_string() && !value.is_number_unsigned()) return false;
                settings.*member = value.is_string() ? parseSize(value.get<std::string>()) : value.get<std::uint64_t>();
                return true;
            }};
}

Key absolutePath(std::filesystem::path Settings::*member) {
    return {"an absolute path", [=](Settings& settings, const json& value) {
                if (!value.is_string()) return false;
                const auto text = value.get<std::string>();
                if (!text.starts_with('/') || text.ends_with('/') || text.find('\0') != text.npos) return false;
                settings.*member = text;
                return true;
            }};
}

const std::map<std::string, Key>& keys() {
    static const std::map<std::string, Key> all{
        {"rcloneConfig", absolutePath(&Settings::rcloneConfig)},
        {"maxConcurrentStreaming", count(&Settings::maxConcurrentStreaming, 1, 64)},
        {"maxConcurrentCopies", count(&Settings::maxConcurrentCopies, 1, 64)},
        {"maxQueuedRuns", count(&Settings::maxQueuedRuns, 1, 100'000)},
        {"maxTotalBandwidth", bandwidth(&Settings::maxTotalBandwidth)},
        {"queueTimeout", duration(&Settings::queueTimeout, 1, 7 * 86400)},
        {"maxAttempts", count(&Settings::maxAttempts, 1, 100)},
        {"retryDelay", duration(&Settings::retryDelay, 0, 3600)},
        {"retryDelayMax", duration(&Settings::retryDelayMax, 0, 3600)},
        {"stallWarning", duration(&Settings::stallWarning, 1, 86400)},
        {"stallTimeout", duration(&Settings::stallTimeout, 1, 86400)},
        {"killDelay", duration(&Settings::killDelay, 0.1, 60)},
        {"historyMaxAge", duration(&Settings::historyMaxAge, 0, 36525.0 * 86400)},
        {"historyMaxRuns", count(&Settings::historyMaxRuns, 0, 100'000'000)}};
    return all;
}

std::string names() {
    std::vector<std::string_view> list;
    for (const auto& [name, unused] : keys()) list.push_back(name);
    return fmt::format("{}", fmt::join(list, ", "));
}

void readKey(Settings& settings, const std::string& name, const json& value) {
    const auto key = keys().find(name);
    if (key == keys().end()) throw Error(fmt::format("there is no key {}; the keys are: {}.", shown(name), names()));
    bool valid = false;
    try {
        valid = key->second.read(settings, value);
    } catch (const Error&) { // a size or time span that cannot be read: what is allowed says enough
    }
    if (!valid) {
        throw Error(fmt::format("{} must be {}, not {}.", name, key->second.allowed,
                                value.is_string() ? shown(value.get<std::string>()) : shown(value.dump())));
    }
}

Settings parseSettings(const std::string& text) {
    const auto document = withoutNulls(parseDocument(text));
    if (!document.is_object()) throw Error("the settings must be a JSON object.");
    Settings settings;
    for (const auto& [name, value] : document.items()) readKey(settings, name, value);
    if (settings.retryDelayMax < settings.retryDelay) throw Error("retryDelayMax must not be less than retryDelay.");
    if (settings.stallTimeout < settings.stallWarning) throw Error("stallTimeout must not be less than stallWarning.");
    return settings;
}

} // namespace

Settings loadSettings(const std::filesystem::path& path) {
    const auto text = readFileIfThere(path, maxDocumentSize);
    if (!text) return {};
    try {
        return parseSettings(*text);
    } catch (const Error& error) {
        throw Error(fmt::format("{}: {}", path.string(), error.what()));
    }
}

} // namespace holdfast
