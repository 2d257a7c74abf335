#include "holdfastctl/password_agent.hpp"

#include "util/child.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::ctl {
namespace {

constexpr int registrationMSec = 10'000;

/// In the child: nothing here may allocate.
[[noreturn]] void becomeAgent(pid_t parent, int notifyFd, const char* parentText, const char* notifyText) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    ::fcntl(notifyFd, F_SETFD, 0);
    // An agent answers only for the very process that it was registered for, which is the one that calls.
    ::execlp("pkttyagent", "pkttyagent", "--process", parentText, "--notify-fd", notifyText, "--fallback", nullptr);
    ::_exit(127);
}

/// The agent closes its end when it is registered, or has failed.
void awaitClose(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    while (::poll(&waiting, 1, registrationMSec) < 0 && errno == EINTR) {
    }
}

} // namespace

PasswordAgent::PasswordAgent() {
    auto pipe = makePipe();
    const auto parent = ::getpid();
    const auto parentText = std::to_string(parent);
    const auto notifyText = std::to_string(pipe.write.get());
    pid_ = ::fork();
    if (pid_ < 0) return;
    if (pid_ == 0) becomeAgent(parent, pipe.write.get(), parentText.c_str(), notifyText.c_str());
    pipe.write.reset();
    awaitClose(pipe.read.get());
}

PasswordAgent::~PasswordAgent() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGTERM);
    ::kill(pid_, SIGCONT);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool PasswordAgent::isWanted() { return ::geteuid() != 0; }

} // namespace holdfast::ctl
