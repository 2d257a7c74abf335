#pragma once

#include "util/error.hpp"
#include "util/fd.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <sys/stat.h>

namespace holdfast {

/// Whose the folders of a path may be. What is root's may not be writable for others, or it would not be root's alone.
enum class Owners {
    Any,  ///< data of any user: it is only made sure that nobody but root can lead us elsewhere
    Root, ///< what decides over others' data: sockets, programs
};

/// A part of the path is not there.
class NoSuchPath : public Error {
  public:
    using Error::Error;
};

/// A file or folder that is held open: whoever renames or exchanges a part of its path later changes nothing for us.
class HeldPath {
  public:
    /// Where the path led to; no part of it is a symlink. For people and for comparing; to open it, use open().
    [[nodiscard]] const std::filesystem::path& real() const { return real_; }
    [[nodiscard]] const struct stat& status() const { return status_; }
    [[nodiscard]] bool isFolder() const { return S_ISDIR(status_.st_mode); }

    /// An O_PATH descriptor, for the *at() calls.
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// Opens what is held, by open(2)'s flags. Throws `std::system_error`.
    [[nodiscard]] Fd open(int flags) const;

    /// What it is called in a child that gets fd() among `ChildSpec::keep`.
    [[nodiscard]] std::string forChild() const;

    /// One name in this folder, which must not be a symlink. Nothing if it is not there. Throws `Error`.
    [[nodiscard]] std::optional<HeldPath> below(const std::string& name) const;

  private:
    friend HeldPath hold(const std::filesystem::path& path, Owners owners);
    friend class HeldWalk;
    HeldPath(Fd fd, std::filesystem::path real, const struct stat& status);

    Fd fd_;
    std::filesystem::path real_;
    struct stat status_ {};
};

/// The one way to open a path that somebody has configured. Walks the absolute `path` from the root, link by link. A
/// symlink is followed only if it is root's and lies in a folder in which nobody else can exchange it. Blocks for as
/// long as the file systems on the way do. Throws `NoSuchPath`; `Error` with the part that is refused, whose it is, and
/// what to do; `std::system_error`.
[[nodiscard]] HeldPath hold(const std::filesystem::path& path, Owners owners);

} // namespace holdfast
