#include "source/flash_profile.hpp"

#include "util/file.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t maxIniSize = 1024 * 1024;

constexpr std::string_view begin =
    "# >>> Holdfast: rules for a flash drive. Edits between these marks are overwritten.\n";
constexpr std::string_view end = "# <<< Holdfast\n";

/// The first line of what the tool before us manages.
constexpr std::string_view formerHeader = "# file managed by Unraid";

/// A folder that is shut cannot have a file re-included, so each folder on the way is opened and emptied again.
constexpr std::string_view excludeRules = R"(/*
!/*.sha256
!/changes.txt
!/license.txt
!/startup.nsh
!/EFI*/
/EFI*/*
!/EFI*/boot/
/EFI*/boot/*
!/EFI*/boot/syslinux.cfg
!/syslinux/
/syslinux/*
!/syslinux/syslinux.cfg
!/syslinux/syslinux.cfg-
!/config/
/config/drift
/config/forcesync
/config/random-seed
/config/shadow
/config/smbpasswd
/config/plugins-error
/config/plugins-old-versions
/config/plugins/unRAIDServer.plg
/config/plugins/**/*.tgz
/config/plugins/**/*.txz
/config/plugins/**/*.tar.bz2
/config/plugins/dockerMan/images
/config/plugins/dynamix.file.integrity/logs
/config/wireguard/peers/*.png
)";

constexpr std::string_view attributeRules = R"(config/wireguard/*.cfg filter=noprivatekeys
config/wireguard/*.conf filter=noprivatekeys
config/wireguard/peers/*.conf filter=noprivatekeys
)";

constexpr std::string_view infoAttributeRules = "config/wireguard/** filter=noprivatekeys\n";

std::string withLineEnd(std::string_view text) {
    std::string lines(text);
    if (!lines.empty() && !lines.ends_with('\n')) lines += '\n';
    return lines;
}

/// A path as a pattern that matches nothing else, from the root of the work tree.
std::string literalPattern(const std::string& path) {
    std::string pattern = "/";
    for (const char c : path) {
        if (std::string_view("\\*?[ ").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern;
}

/// Puts `block` where the marks of an earlier one are, else at the end.
std::string withBlock(std::string_view existing, const std::string& block) {
    const auto from = existing.find(begin);
    const auto to = from == std::string_view::npos ? from : existing.find(end, from);
    if (to == std::string_view::npos) return withLineEnd(existing) + block;
    return std::string(existing.substr(0, from)) + block + std::string(existing.substr(to + end.size()));
}

/// `existing` with those of `rules` appended that are not the last word on their pattern.
std::string withRules(std::string_view existing, std::string_view rules) {
    const std::string lines = withLineEnd(existing);
    if (lines.ends_with(rules)) return lines;
    return lines + std::string(rules);
}

} // namespace

std::string detectProfile(const fs::path& workTree) {
    std::error_code ignored;
    const bool flash =
        fs::is_directory(workTree / "config", ignored) && fs::is_regular_file(workTree / "bzimage", ignored);
    return flash ? "unraid" : "plain";
}

std::vector<std::string> oversizeFiles(const fs::path& workTree) {
    std::vector<std::string> files;
    std::error_code failed;
    const auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator at(workTree / "config", options, failed), last; !failed && at != last;
         at.increment(failed)) {
        std::error_code vanished;
        if (at->is_symlink(vanished) || !at->is_regular_file(vanished)) continue;
        if (const auto size = at->file_size(vanished); vanished || size <= largestFlashFile) continue;
        auto name = at->path().lexically_relative(workTree).string();
        // A line break cannot be written in a pattern; such a file is still left out when files are added.
        if (name.find('\n') == std::string::npos) files.push_back(std::move(name));
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string flashExcludes(std::string_view existing, const std::vector<std::string>& oversize) {
    std::string block(begin);
    block += excludeRules;
    for (const auto& file : oversize) block += literalPattern(file) + '\n';
    block += end;
    return withBlock(existing.starts_with(formerHeader) ? std::string_view() : existing, block);
}

std::string flashAttributes(std::string_view existing) { return withRules(existing, attributeRules); }

std::string flashInfoAttributes(std::string_view existing) { return withRules(existing, infoAttributeRules); }

std::string flashDescription(const fs::path& varIni) {
    std::istringstream lines(readFileIfThere(varIni, maxIniSize).value_or(""));
    std::string name;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("NAME=")) continue;
        name = line.substr(5);
        std::erase_if(name, [](char c) { return c == '"' || static_cast<unsigned char>(c) < ' '; });
    }
    return fmt::format("Unraid flash drive for {}\n", name.empty() ? "Unknown Server" : name);
}

} // namespace holdfast
