#include "source/unpack.hpp"

#include <climits>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace holdfast {

std::vector<std::string> unpackInto(const std::filesystem::path& folder, const std::vector<std::string>& members,
                                    Attributes attributes) {
    // GNU tar itself refuses "..", drops a leading slash, and makes symlinks that lead outside only when all else is
    // there, so that nothing is written through them.
    std::vector<std::string> argv{"tar",
                                  "--extract",
                                  "--file=-",
                                  "--directory=" + folder.string(),
                                  "--numeric-owner",
                                  "--same-owner",
                                  "--preserve-permissions",
                                  "--no-wildcards",
                                  "--anchored"};
    if (attributes == Attributes::All) argv.insert(argv.end(), {"--xattrs", "--xattrs-include=*", "--acls"});
    argv.emplace_back("--");
    argv.insert(argv.end(), members.begin(), members.end());
    return argv;
}

std::string explainTar(const std::string& lastWords) {
    constexpr std::string_view absent = ": Not found in archive";
    std::string missing;
    std::istringstream lines(lastWords);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("tar: ") || !line.ends_with(absent)) continue;
        const auto name = line.substr(5, line.size() - 5 - absent.size());
        missing += (missing.empty() ? "" : ", ") + name;
    }
    if (!missing.empty()) return fmt::format("There is no {} in this backup.", missing);
    if (lastWords.find("File name too long") != lastWords.npos) {
        return fmt::format("The archive has a path that is longer than a path on this system may be ({} bytes), so "
                           "that it cannot be made again. Restore what else is in it by choosing paths, and shorten "
                           "that path where it was backed up.",
                           PATH_MAX);
    }
    return lastWords;
}

} // namespace holdfast
