#include "util/held_path.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <climits>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr int maxLinks = 40; ///< as the kernel has it

struct stat statusOfHeld(int fd, const fs::path& path) {
    struct stat status {};
    if (::fstat(fd, &status) < 0) throwErrno("look at " + path.string());
    return status;
}

/// Of a folder: whether others than root can exchange what lies in it under a name of root's.
bool othersMayExchange(const struct stat& folder) {
    const bool sticky = (folder.st_mode & S_ISVTX) != 0; // there, only its owner renames or removes what is there
    return folder.st_uid != 0 || ((folder.st_mode & 0022) != 0 && !sticky);
}

std::string targetOf(int link, const fs::path& path) {
    std::string target(PATH_MAX, '\0');
    const auto length = ::readlinkat(link, "", target.data(), target.size());
    if (length < 0) throwErrno("read the symlink " + path.string());
    target.resize(static_cast<std::size_t>(length));
    return target;
}

} // namespace

/// One walk: the folders from the root to where it is, held, for the sake of "..".
class HeldWalk {
  public:
    HeldWalk(const fs::path& path, Owners owners) : path_(path), owners_(owners) {
        push(path);
        backToRoot();
    }

    HeldPath walk() && {
        while (!ahead_.empty()) {
            const std::string name = ahead_.back().string();
            ahead_.pop_back();
            if (name == "/")
                backToRoot();
            else if (name == "..")
                up();
            else if (!name.empty() && name != ".")
                step(name);
        }
        return std::move(way_.back());
    }

  private:
    void backToRoot() {
        if (way_.empty()) {
            Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
            if (!root) throwErrno("open /");
            const auto status = statusOfHeld(root.get(), "/");
            way_.push_back(HeldPath(std::move(root), "/", status));
        }
        way_.erase(way_.begin() + 1, way_.end());
    }

    void up() {
        if (way_.size() > 1) way_.pop_back();
    }

    void step(const std::string& name) {
        const HeldPath& folder = way_.back();
        const auto at = folder.real() / name;
        Fd fd(::openat(folder.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!fd) refuseMissing(at);
        const auto status = statusOfHeld(fd.get(), at);
        if (owners_ == Owners::Root) refuseOthers(status, at);
        if (S_ISLNK(status.st_mode))
            follow(fd.get(), status, folder, at);
        else
            way_.push_back(HeldPath(std::move(fd), at, status));
    }

    void follow(int link, const struct stat& status, const HeldPath& folder, const fs::path& at) {
        if (status.st_uid != 0 || othersMayExchange(folder.status())) {
            throw Error(fmt::format("{} is refused: {} is a symlink that others than root can exchange. Name the path "
                                    "that it leads to, {}.",
                                    path_.string(), at.string(), targetOf(link, at)));
        }
        if (++links_ > maxLinks) throw Error(fmt::format("{} leads in a circle of symlinks.", path_.string()));
        push(targetOf(link, at));
    }

    void push(const fs::path& path) {
        const std::vector<fs::path> names(path.begin(), path.end());
        ahead_.insert(ahead_.end(), names.rbegin(), names.rend());
    }

    void refuseOthers(const struct stat& status, const fs::path& at) const {
        if (status.st_uid != 0) {
            throw Error(
                fmt::format("{} is refused: {} belongs to user {} and not to root. Give it to root (chown root: "
                            "{}), or name another path.",
                            path_.string(), at.string(), status.st_uid, at.string()));
        }
        if (S_ISLNK(status.st_mode) || (status.st_mode & 0022) == 0) return;
        const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
        if (sticky) return;
        throw Error(fmt::format("{} is refused: {} may be written to by others than root (mode {:04o}). Take that away "
                                "(chmod go-w {}), or name another path.",
                                path_.string(), at.string(), status.st_mode & 07777, at.string()));
    }

    [[noreturn]] void refuseMissing(const fs::path& at) const {
        if (errno == ENOENT || errno == ENOTDIR) {
            const auto which = at == path_ ? std::string("it") : at.string();
            throw NoSuchPath(fmt::format("{} cannot be opened: {} is not there.", path_.string(), which));
        }
        throwErrno("open " + at.string());
    }

    const fs::path& path_;
    Owners owners_;
    int links_ = 0;
    std::vector<fs::path> ahead_; ///< the next name last
    std::vector<HeldPath> way_;   ///< the root first
};

HeldPath::HeldPath(Fd fd, fs::path real, const struct stat& status)
    : fd_(std::move(fd)), real_(std::move(real)), status_(status) {}

Fd HeldPath::open(int flags) const {
    Fd opened(::open(forChild().c_str(), flags | O_CLOEXEC));
    if (!opened) throwErrno("open " + real_.string());
    return opened;
}

std::string HeldPath::forChild() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }

std::optional<HeldPath> HeldPath::below(const std::string& name) const {
    const auto at = real_ / name;
    Fd fd(::openat(fd_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) {
        if (errno == ENOENT) return std::nullopt;
        throwErrno("open " + at.string());
    }
    const auto status = statusOfHeld(fd.get(), at);
    if (S_ISLNK(status.st_mode)) throw Error(fmt::format("{} is a symlink, and is not followed.", at.string()));
    return HeldPath(std::move(fd), at, status);
}

HeldPath hold(const fs::path& path, Owners owners) {
    if (!path.is_absolute()) throw Error(fmt::format("{} is not an absolute path.", path.string()));
    HeldWalk walk(path, owners);
    return std::move(walk).walk();
}

} // namespace holdfast
