#include "unit/rclone_config.hpp"

#include "util/file.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <sstream>
#include <string_view>

#include <boost/algorithm/string/trim.hpp>

namespace holdfast {

namespace {

constexpr std::size_t largestConfig = 1024 * 1024;
constexpr int deepestWrapping = 8;

/// Backends of rclone that talk to a server, and keep in the configuration only what was typed in.
constexpr std::array<std::string_view, 12> serverTypes{"s3",  "b2",        "sftp",  "ftp",      "webdav", "http",
                                                       "smb", "azureblob", "swift", "qingstor", "storj",  "hdfs"};
/// Those that turn to another remote and keep nothing themselves, on no disk either.
constexpr std::array<std::string_view, 3> wrapperTypes{"alias", "crypt", "chunker"};

template<typename Names>
bool isTypeAmong(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

RcloneConfig::RcloneConfig(const std::filesystem::path& file) {
    try {
        read(readFileIfThere(file, largestConfig).value_or(""));
    } catch (const std::exception&) {
        readable_ = false; // below a home, perhaps, which the daemon does not see
    }
}

void RcloneConfig::read(const std::string& text) {
    std::istringstream lines(text);
    std::string section;
    readable_ = true;
    for (std::string line; std::getline(lines, line);) {
        boost::algorithm::trim(line);
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        if (line.front() == '[' && line.back() == ']') {
            section = line.substr(1, line.size() - 2);
            remotes_[section];
            continue;
        }
        const auto equals = line.find('=');
        if (section.empty() || equals == std::string::npos) readable_ = false; // as an encrypted one is
        if (!readable_) return;
        const auto key = boost::algorithm::trim_copy(line.substr(0, equals));
        const auto value = boost::algorithm::trim_copy(line.substr(equals + 1));
        if (key == "type") remotes_[section].type = value;
        if (key == "remote") remotes_[section].behind = value;
    }
}

bool RcloneConfig::isRewritten() const {
    if (!readable_) return true;
    return std::any_of(remotes_.begin(), remotes_.end(), [](const auto& remote) {
        const auto& type = remote.second.type;
        return type != "local" && !isTypeAmong(serverTypes, type) && !isTypeAmong(wrapperTypes, type);
    });
}

bool RcloneConfig::reachesDisk(const std::string& remote) const {
    std::string name = remote;
    for (int depth = 0; readable_ && depth < deepestWrapping; ++depth) {
        const auto found = remotes_.find(name);
        if (found == remotes_.end()) return true;
        if (isTypeAmong(serverTypes, found->second.type)) return false;
        const auto& behind = found->second.behind;
        if (!isTypeAmong(wrapperTypes, found->second.type) || behind.find(':') == std::string::npos) return true;
        name = behind.substr(0, behind.find(':'));
    }
    return true;
}

} // namespace holdfast
