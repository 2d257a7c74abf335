#include "source/staging.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

std::string shownIn(const HeldPath& folder, const std::string& name) {
    return (folder.real() / name).lexically_normal().string();
}

[[noreturn]] void throwRename(const HeldPath& from, const std::string& name, const HeldPath& to,
                              const std::string& newName) {
    if (errno == EXDEV) {
        throw Error(fmt::format("{} lies on another file system than {}, so that nothing can be moved there in one "
                                "step. Restore to a folder on that file system.",
                                shownIn(to, newName), shownIn(from, name)));
    }
    throwErrno(fmt::format("rename {} to {}", shownIn(from, name), shownIn(to, newName)));
}

bool isOurs(const HeldPath& folder) {
    const auto& status = folder.status();
    return folder.isFolder() && status.st_uid == ::geteuid() && (status.st_mode & 0077) == 0;
}

/// renameat2(2) knows no flags on some file systems, NFS among them.
bool knowsNoFlags() { return errno == EINVAL || errno == ENOSYS; }

} // namespace

std::optional<HeldPath> holdIfThere(const fs::path& path) {
    try {
        return hold(path, Owners::Any);
    } catch (const NoSuchPath&) {
        return std::nullopt;
    }
}

bool leadsTo(const fs::path& path, const HeldPath& held) {
    const auto now = holdIfThere(path);
    return now && now->status().st_dev == held.status().st_dev && now->status().st_ino == held.status().st_ino;
}

std::optional<struct stat> statusIn(const HeldPath& folder, const std::string& name) {
    struct stat status {};
    if (::fstatat(folder.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throwErrno("look at " + shownIn(folder, name));
}

HeldPath makeStaging(const HeldPath& parent, const std::string& name) {
    const auto at = shownIn(parent, name);
    if (::mkdirat(parent.fd(), name.c_str(), 0700) < 0) {
        if (errno == EEXIST) {
            throw Error(fmt::format("{} is there already, and this run has not made it. See who else makes such "
                                    "folders there, or restore to another target.",
                                    at));
        }
        throwErrno("make the folder " + at);
    }
    auto made = parent.below(name);
    if (made && isOurs(*made)) return std::move(*made);
    throw Error(fmt::format("{} was exchanged as soon as it was made. See who can write to {}, or restore to another "
                            "target.",
                            at, parent.real().string()));
}

HeldPath folderBelow(const HeldPath& folder, const fs::path& path) {
    std::optional<HeldPath> at;
    for (const auto& name : path) {
        if (name.empty() || name == ".") continue;
        const HeldPath& above = at ? *at : folder;
        auto next = above.below(name.string());
        if (!next) throw Error(fmt::format("{} is not there.", shownIn(above, name.string())));
        at = std::move(next);
    }
    if (!at) at = folder.below(".");
    if (at && at->isFolder()) return std::move(*at);
    throw Error(fmt::format("{} is not a folder.", shownIn(folder, path.string())));
}

void renameFolderIn(const HeldPath& from, const std::string& name, const HeldPath& to, const std::string& newName) {
    if (::renameat(from.fd(), name.c_str(), to.fd(), newName.c_str()) < 0) throwRename(from, name, to, newName);
}

void moveInto(const HeldPath& from, const std::string& name, const HeldPath& to, const std::string& newName) {
    if (::renameat2(from.fd(), name.c_str(), to.fd(), newName.c_str(), RENAME_NOREPLACE) == 0) return;
    if (!knowsNoFlags()) throwRename(from, name, to, newName);
    if (statusIn(to, newName)) {
        errno = EEXIST;
        throwRename(from, name, to, newName);
    }
    renameFolderIn(from, name, to, newName);
}

bool exchangeNames(const HeldPath& folder, const std::string& name, const std::string& other) {
    if (::renameat2(folder.fd(), name.c_str(), folder.fd(), other.c_str(), RENAME_EXCHANGE) == 0) return true;
    if (knowsNoFlags()) return false;
    throwErrno(fmt::format("exchange {} and {}", shownIn(folder, name), shownIn(folder, other)));
}

void syncNames(const HeldPath& folder) {
    if (::fsync(folder.open(O_RDONLY | O_DIRECTORY).get()) < 0) throwErrno("sync " + folder.real().string());
}

void syncFileSystem(const HeldPath& folder) {
    if (::syncfs(folder.open(O_RDONLY | O_DIRECTORY).get()) < 0) throwErrno("sync " + folder.real().string());
}

} // namespace holdfast
