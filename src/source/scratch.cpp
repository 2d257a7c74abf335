#include "source/scratch.hpp"

#include "source/staging.hpp"
#include "util/error.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

void refuseOthers(const fs::path& path, const std::string& runId) {
    if (isOfRun(path, runId)) return;
    throw Error(fmt::format("{} is not removed: nothing in its name says that run {} made it.", path.string(), runId));
}

} // namespace

std::string runSuffix(const std::string& runId) { return ".holdfast-" + runId; }

bool isOfRun(const fs::path& path, const std::string& runId) {
    if (!isId(runId) || !path.is_absolute() || path != path.lexically_normal()) return false;
    return std::any_of(path.begin(), path.end(), [&](const fs::path& part) {
        return part == runId || part.string().ends_with(runSuffix(runId));
    });
}

void makePrivateFolder(const fs::path& folder) {
    fs::create_directories(folder.parent_path());
    if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) throwErrno("make the folder " + folder.string());
    struct stat found {};
    if (::lstat(folder.c_str(), &found) < 0) throwErrno("look at " + folder.string());
    if (S_ISDIR(found.st_mode) && found.st_uid == ::geteuid() && (found.st_mode & 0077) == 0) return;
    throw Error(
        fmt::format("{} is there already, and is not a folder of Holdfast's alone. Remove it.", folder.string()));
}

void removeOfRun(const fs::path& path, const std::string& runId) {
    refuseOthers(path, runId);
    if (const auto parent = holdIfThere(path.parent_path()))
        fs::remove_all(fs::path(parent->forChild()) / path.filename());
}

void removeIfEmpty(const fs::path& folder, const std::string& runId) {
    refuseOthers(folder, runId);
    const auto parent = holdIfThere(folder.parent_path());
    if (!parent || ::unlinkat(parent->fd(), folder.filename().c_str(), AT_REMOVEDIR) == 0) return;
    if (errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) return;
    throwErrno("remove the folder " + folder.string());
}

} // namespace holdfast
