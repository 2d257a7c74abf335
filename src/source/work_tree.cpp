#include "source/work_tree.hpp"

#include "source/background.hpp"
#include "util/error.hpp"

#include <system_error>

#include <fmt/format.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// libgit2 opens what has such a name whatever it is, and would wait for ever for somebody to write to a pipe.
void refuseOddRules(const fs::path& file) {
    const bool rules = file.filename() == ".gitignore" || file.filename() == ".gitattributes";
    std::error_code failed;
    if (!rules || fs::is_directory(fs::symlink_status(file, failed))) return;
    const auto type = fs::status(file, failed).type();
    if (type == fs::file_type::regular || type == fs::file_type::not_found || type == fs::file_type::directory) return;
    throw Error(fmt::format(
        "{} is no regular file, so its rules cannot be read. Remove it, or put a file in its place.", file.string()));
}

} // namespace

std::vector<std::string> lookThroughWorkTree(const fs::path& workTree, const Stop& stop) {
    std::vector<std::string> nested;
    std::error_code failed;
    const auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator at(workTree, options, failed), last; !failed && at != last;
         at.increment(failed)) {
        stop.check();
        refuseOddRules(at->path());
        if (at->path().filename() != ".git") continue;
        at.disable_recursion_pending();
        if (at.depth() > 0) nested.push_back(at->path().parent_path().lexically_relative(workTree).string());
    }
    return nested;
}

} // namespace holdfast
