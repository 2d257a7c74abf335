#include "util/mounts.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// Blanks and backslashes are written "\040".
std::string withoutEscapes(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escaped = text[i] == '\\' && i + 3 < text.size() &&
                             std::all_of(&text[i + 1], &text[i + 4], [](char c) { return c >= '0' && c <= '7'; });
        plain += escaped ? static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8)) : text[i];
        if (escaped) i += 3;
    }
    return plain;
}

std::optional<Mount> parseMount(const std::string& line) {
    std::istringstream words(line);
    std::string id, parent, device, root, at, word;
    words >> id >> parent >> device >> root >> at;
    while (words >> word && word != "-") {
    } // its options, of which there is any number
    std::string type;
    if (!(words >> type)) return std::nullopt;
    return Mount{device, withoutEscapes(root), withoutEscapes(at), type};
}

/// A folder by its file system and its path there, which is the same however often that is mounted.
struct DiskPlace {
    std::string device;
    fs::path path;
};

DiskPlace placeOf(const fs::path& path, const std::vector<Mount>& mounts) {
    const Mount* nearest = nullptr;
    for (const auto& mount : mounts) { // of two at one place, the later hides the earlier
        if (!isWithin(path, mount.at)) continue;
        if (!nearest || isWithin(mount.at, nearest->at)) nearest = &mount;
    }
    if (!nearest) return {"", path};
    return {nearest->device, (nearest->root / path.lexically_relative(nearest->at)).lexically_normal()};
}

} // namespace

std::vector<Mount> parseMounts(std::string_view mountinfo) {
    std::vector<Mount> mounts;
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        if (auto mount = parseMount(line)) mounts.push_back(std::move(*mount));
    }
    return mounts;
}

std::vector<Mount> currentMounts() {
    std::ifstream file("/proc/self/mountinfo");
    if (!file) throwErrno("open /proc/self/mountinfo");
    return parseMounts(std::string(std::istreambuf_iterator<char>(file), {}));
}

bool isWithin(const fs::path& path, const fs::path& folder) {
    const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end() || (end->empty() && std::next(end) == folder.end());
}

bool isReachedFrom(const fs::path& folder, const fs::path& path, const std::vector<Mount>& mounts, bool oneFileSystem) {
    const auto from = placeOf(folder, mounts);
    const auto to = placeOf(path, mounts);
    if (from.device == to.device && isWithin(to.path, from.path)) return true;
    return std::any_of(mounts.begin(), mounts.end(), [&](const Mount& mount) {
        const bool walked = isWithin(mount.at, folder) && (!oneFileSystem || mount.device == from.device);
        return walked && mount.device == to.device && isWithin(to.path, mount.root);
    });
}

} // namespace holdfast
