#pragma once

#include "util/asio.hpp"
#include "util/fd.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

class HeldPath;

/// Runs a program whose standard output becomes the new file `to`, which only root may read and which is on disk when
/// this returns. Throws `Error` if the program fails, `std::system_error` for the file. What was written stays then.
awaitable<void> runIntoFile(std::vector<std::string> argv, std::filesystem::path to);

/// A file that a program of ours fills and that is read again by its descriptor: it is the same one, whatever becomes
/// of its name in a folder that is not root's.
class CacheFile {
  public:
    /// Makes `name` in `folder`, new, for root alone. `folder` must outlive it. Throws `std::system_error`.
    CacheFile(const HeldPath& folder, std::string name);

    /// Runs a program (`keep`: descriptors that it gets) with its standard output going there, and waits for its end.
    /// What was written is on the disk afterwards. Throws `Error` if the program fails.
    awaitable<void> fill(std::vector<std::string> argv, std::vector<int> keep);

    /// Gives it another name in its folder, in place of what has that name. Throws `std::system_error`.
    void rename(std::string name);

    [[nodiscard]] std::filesystem::path path() const;
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    const HeldPath& folder_;
    std::string name_;
    Fd fd_;
};

} // namespace holdfast
