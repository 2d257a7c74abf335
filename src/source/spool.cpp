#include "source/spool.hpp"

#include "util/child.hpp"
#include "util/error.hpp"
#include "util/held_path.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace holdfast {

namespace {

constexpr int newFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

/// What a program could write only a part of, it does not always say: zfs tells of a signal.
std::string sayingIfFull(int file) {
    constexpr std::uint64_t almostNothing = 1024 * 1024;
    struct statvfs info {};
    if (::fstatvfs(file, &info) < 0 || info.f_bavail * info.f_frsize > almostNothing) return {};
    return " (No space left on device: make room where the cache file lies.)";
}

/// `path`: for people.
awaitable<void> fillFile(int file, ChildSpec spec, std::filesystem::path path) {
    spec.out = file;
    Child child(co_await asio::this_coro::executor, spec);
    const auto status = co_await child.wait();
    if (!status.ok()) {
        throw Error(fmt::format("{} {} while it wrote the cache file {}: {}{}", spec.argv.front(), status.describe(),
                                path.string(), child.errorTail(), sayingIfFull(file)));
    }
    if (::fsync(file) < 0) throwErrno("sync " + path.string());
}

} // namespace

awaitable<void> runIntoFile(std::vector<std::string> argv, std::filesystem::path to) {
    const Fd file(::open(to.c_str(), newFile, 0600));
    if (!file) throwErrno("create " + to.string());
    ChildSpec spec;
    spec.argv = std::move(argv);
    co_await fillFile(file.get(), std::move(spec), std::move(to));
}

CacheFile::CacheFile(const HeldPath& folder, std::string name)
    : folder_(folder), name_(std::move(name)), fd_(::openat(folder.fd(), name_.c_str(), newFile, 0600)) {
    if (!fd_) throwErrno("create " + path().string());
}

awaitable<void> CacheFile::fill(std::vector<std::string> argv, std::vector<int> keep) {
    ChildSpec spec;
    spec.argv = std::move(argv);
    spec.keep = std::move(keep);
    co_await fillFile(fd_.get(), std::move(spec), path());
}

void CacheFile::rename(std::string name) {
    const auto before = path();
    if (::renameat(folder_.fd(), name_.c_str(), folder_.fd(), name.c_str()) < 0) {
        throwErrno(fmt::format("rename {} to {}", before.string(), name));
    }
    name_ = std::move(name);
    const Fd folder = folder_.open(O_RDONLY | O_DIRECTORY);
    if (::fsync(folder.get()) < 0) throwErrno("sync " + folder_.real().string());
}

std::filesystem::path CacheFile::path() const { return folder_.real() / name_; }

} // namespace holdfast
