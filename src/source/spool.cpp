#include "source/spool.hpp"

#include "util/child.hpp"
#include "util/error.hpp"
#include "util/fd.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast {

awaitable<void> runIntoFile(std::vector<std::string> argv, std::filesystem::path to) {
    const Fd file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throwErrno("create " + to.string());
    ChildSpec spec;
    spec.argv = std::move(argv);
    spec.out = file.get();
    Child child(co_await asio::this_coro::executor, spec);
    const auto status = co_await child.wait();
    if (!status.ok()) {
        throw Error(fmt::format("{} {} while it wrote the cache file {}: {}", spec.argv.front(), status.describe(),
                                to.string(), child.errorTail()));
    }
    if (::fsync(file.get()) < 0) throwErrno("sync " + to.string());
}

} // namespace holdfast
