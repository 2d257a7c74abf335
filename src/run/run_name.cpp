#include "run/run_name.hpp"

#include <algorithm>
#include <ctime>

namespace holdfast {

namespace {

constexpr std::size_t stampLength = 16; // "20261123T121500Z"
constexpr std::size_t idLength = 8;

/// utcStamp() read back.
std::optional<USec> timeOf(const std::string& stamp) {
    std::tm parts{};
    const char* end = ::strptime(stamp.c_str(), "%Y%m%dT%H%M%SZ", &parts);
    if (end != stamp.c_str() + stamp.size()) return std::nullopt;
    const auto seconds = ::timegm(&parts);
    if (seconds < 0) return std::nullopt;
    const auto time = static_cast<USec>(seconds) * usecPerSec;
    if (utcStamp(time) != stamp) return std::nullopt; // the 31st of February
    return time;
}

bool isHex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == text.npos; }

bool isJobName(std::string_view name) {
    constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return !name.empty() && name.size() <= 64 && name.find_first_not_of(allowed) == name.npos;
}

/// What Holdfast puts after the stem.
bool isEnding(std::string_view rest) {
    if (constexpr std::string_view manifest = ".manifest.json"; rest.ends_with(manifest))
        rest.remove_suffix(manifest.size());
    for (const std::string_view ending : {"", ".files.jsonl", ".zfs", ".zfs.zst", ".tar", ".tar.zst"}) {
        if (rest == ending) return true;
    }
    return false;
}

} // namespace

std::optional<RunName> parseRunName(std::string_view name) {
    // A job's name may have hyphens, but no ending has one.
    const auto idAt = name.rfind('-');
    if (idAt == name.npos || idAt < stampLength + 2 || name.size() < idAt + 1 + idLength) return std::nullopt;
    const auto stampAt = idAt - stampLength;
    RunName found;
    found.job = name.substr(0, stampAt - 1);
    found.idPart = name.substr(idAt + 1, idLength);
    found.rest = name.substr(idAt + 1 + idLength);
    found.stem = name.substr(0, idAt + 1 + idLength);
    const auto time = timeOf(std::string(name.substr(stampAt, stampLength)));
    const bool ours =
        time && name[stampAt - 1] == '-' && isJobName(found.job) && isHex(found.idPart) && isEnding(found.rest);
    if (!ours) return std::nullopt;
    found.queuedAt = *time;
    return found;
}

} // namespace holdfast
