#include "source/spool.hpp"

#include "util/child.hpp"
#include "util/error.hpp"
#include "util/fd.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace holdfast {

namespace {

/// What a program could write only a part of, it does not always say: zfs tells of a signal.
std::string sayingIfFull(const Fd& file) {
    constexpr std::uint64_t almostNothing = 1024 * 1024;
    struct statvfs info {};
    if (::fstatvfs(file.get(), &info) < 0 || info.f_bavail * info.f_frsize > almostNothing) return {};
    return " (No space left on device: make room where the cache file lies.)";
}

} // namespace

awaitable<void> runIntoFile(std::vector<std::string> argv, std::filesystem::path to) {
    const Fd file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throwErrno("create " + to.string());
    ChildSpec spec;
    spec.argv = std::move(argv);
    spec.out = file.get();
    Child child(co_await asio::this_coro::executor, spec);
    const auto status = co_await child.wait();
    if (!status.ok()) {
        throw Error(fmt::format("{} {} while it wrote the cache file {}: {}{}", spec.argv.front(), status.describe(),
                                to.string(), child.errorTail(), sayingIfFull(file)));
    }
    if (::fsync(file.get()) < 0) throwErrno("sync " + to.string());
}

} // namespace holdfast
