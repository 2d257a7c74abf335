#include "util/spawn.hpp"

#include "util/error.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast {

namespace {

/// As execve(2) wants it; it does not change them.
std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> all;
    all.reserve(strings.size() + 1);
    for (const auto& string : strings) all.push_back(const_cast<char*>(string.c_str()));
    all.push_back(nullptr);
    return all;
}

/// While it lives, this thread gets no signal.
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

/// A handler of ours would run in the new process, and on our memory.
void forgetSignals() {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool takeDescriptors(const Program& program) {
    if (::dup2(program.in, STDIN_FILENO) < 0 || ::dup2(program.out, STDOUT_FILENO) < 0 ||
        ::dup2(program.err, STDERR_FILENO) < 0 || ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
        return false;
    }
    for (const int fd : program.keep) {
        if (::fcntl(fd, F_SETFD, 0) < 0) return false;
    }
    return true;
}

/// Between vfork and exec, on the memory of the parent, which waits: only async-signal-safe calls. Returns if it
/// failed.
void become(const Program& program, char* const* argv, char* const* environment) {
    if (!takeDescriptors(program) || ::prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return;
    forgetSignals();
    ::execve(program.file.c_str(), argv, environment);
}

} // namespace

pid_t spawn(const Program& program) {
    const auto argv = pointers(program.argv);
    const auto environment = pointers(program.environment);
    volatile int failed = 0; // written by the child
    pid_t child = -1;
    {
        const SignalsBlocked blocked;
        // NOLINTBEGIN(clang-analyzer-*): POSIX promises less of vfork() than Linux does, vfork(2)
        child = ::vfork();
        if (child == 0) {
            become(program, argv.data(), environment.data());
            failed = errno;
            ::_exit(127);
        }
        // NOLINTEND(clang-analyzer-*)
        if (child < 0) failed = errno;
        if (child > 0 && failed != 0) ::waitpid(child, nullptr, 0);
    }
    if (failed == 0) return child;
    throw Error(fmt::format("Could not run {}: {}.", program.file.string(), ::strerror(failed)));
}

} // namespace holdfast
