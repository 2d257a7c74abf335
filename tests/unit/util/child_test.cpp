#include "util/child.hpp"

#include "../run_coroutine.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

ChildOutput runBash(const std::string& script, std::chrono::microseconds deadline = 20s, std::string input = {}) {
    ChildSpec spec;
    spec.argv = {"bash", "-c", script};
    return runCoroutine(runChild(spec, deadline, std::move(input)));
}

TEST(Child, givesOutputErrorsAndStatus) {
    const auto answer = runBash("cat; echo lost >&2; exit 3", 20s, "hello");
    EXPECT_EQ(answer.out, "hello");
    EXPECT_EQ(answer.errorTail, "lost");
    EXPECT_EQ(answer.status.code(), 3);
    EXPECT_EQ(answer.status.describe(), "exited with status 3");
}

TEST(Child, tellsASignalFromAStatus) {
    const auto answer = runBash("kill -KILL $$");
    EXPECT_FALSE(answer.status.ok());
    EXPECT_EQ(answer.status.signal(), SIGKILL);
    EXPECT_EQ(answer.status.describe(), "was killed by SIGKILL");
}

TEST(Child, getsACleanEnvironmentAndNoDescriptors) {
    ::setenv("AWS_CA_BUNDLE", "/secret", 1);
    const auto answer = runBash("env | cut -d= -f1 | sort | tr '\\n' ' '; ls /proc/self/fd | tr '\\n' ' '");
    ::unsetenv("AWS_CA_BUNDLE");
    EXPECT_EQ(answer.out.find("AWS_CA_BUNDLE"), std::string::npos) << answer.out;
    EXPECT_NE(answer.out.find("PATH"), std::string::npos);
    EXPECT_TRUE(answer.out.ends_with("0 1 2 3 ")) << "3 is ls's own: " << answer.out;
}

TEST(Child, getsSignalsAsANewProgramDoes) {
    const auto ignored = std::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked, before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    ChildSpec spec;
    spec.argv = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"};
    const auto answer = runCoroutine(runChild(spec, 20s));
    sigset_t ours;
    ::pthread_sigmask(SIG_SETMASK, &before, &ours);
    std::signal(SIGPIPE, ignored);
    EXPECT_EQ(answer.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    EXPECT_TRUE(::sigismember(&ours, SIGUSR2)) << "and ours are as they were";
    EXPECT_FALSE(::sigismember(&ours, SIGTERM));
}

TEST(Child, argumentsAreNotInterpreted) {
    ChildSpec spec;
    spec.argv = {"printf", "%s|", "$HOME", "a b", "%n", "*"};
    EXPECT_EQ(runCoroutine(runChild(spec, 20s)).out, "$HOME|a b|%n|*|");
}

/// Asio tells of several descriptors in turn. If who is told first closes the others, what takes their places is told
/// in their stead.
awaitable<bool> timersElapseBesideAChild() {
    const auto executor = co_await asio::this_coro::executor;
    std::vector<asio::posix::stream_descriptor> ready;
    asio::posix::stream_descriptor told(executor, ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    for (int i = 0; i < 8; ++i) ready.emplace_back(executor, ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    for (auto& one : ready) one.async_wait(asio::posix::stream_descriptor::wait_read, asio::detached);
    co_await told.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    ready.clear();

    ChildSpec spec;
    spec.argv = {"sleep", "60"};
    Child child(executor, spec);
    const auto first = co_await (child.wait() || sleepFor(100ms));
    co_await child.end(1s);
    co_return first.index() == 1;
}

TEST(Child, waitsForNothingButItsOwnEnd) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(runCoroutine(timersElapseBesideAChild()));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(Child, isEndedAtItsDeadlineEvenIfItIgnoresTerm) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(runBash("sleep 60", 100ms), Error);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(Child, thatIsNotInstalledIsNamed) {
    ChildSpec spec;
    spec.argv = {"no-such-program"};
    try {
        runCoroutine(runChild(spec, 1s));
        FAIL();
    } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("no-such-program"), std::string::npos);
    }
}

TEST(Child, thatCannotBeRunSaysWhy) {
    const auto file = std::filesystem::path(testing::TempDir()) / "not-a-program";
    std::ofstream(file) << "neither ELF nor a script";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    ChildSpec spec;
    spec.argv = {file.string()};
    try {
        runCoroutine(runChild(spec, 1s));
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.what(), "Could not run " + file.string() + ": Exec format error.");
    }
    std::filesystem::remove(file);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "nothing is left of it";
}

/// Both hold `alive`, so that it ends when both have.
[[noreturn]] void sleepInAChild(int alive) {
    asio::io_context io(1);
    ChildSpec spec;
    spec.argv = {"sleep", "60"};
    spec.out = alive;
    const Child child(io.get_executor(), spec);
    static_cast<void>(::write(alive, "!", 1));
    while (true) ::pause();
}

TEST(Child, endsWithUs) {
    auto alive = makePipe();
    const pid_t parent = ::fork();
    if (parent == 0) sleepInAChild(alive.write.get());
    alive.write.reset();
    char mark = 0;
    EXPECT_EQ(::read(alive.read.get(), &mark, 1), 1);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    pollfd end{.fd = alive.read.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&end, 1, 10'000), 1) << "the child lives on";
    EXPECT_EQ(::read(alive.read.get(), &mark, 1), 0);
}

TEST(Child, keepsOnlyTheEndOfItsErrors) {
    const auto answer = runBash("for i in $(seq 1000); do echo line$i >&2; done");
    EXPECT_TRUE(answer.errorTail.ends_with("line1000"));
    EXPECT_LT(answer.errorTail.size(), 1000U);
}

TEST(Child, ignoringTermIsKilled) {
    asio::io_context io(1);
    std::optional<ExitStatus> status;
    auto task = [&]() -> awaitable<void> {
        ChildSpec spec;
        spec.argv = {"bash", "-c", "trap '' TERM; while :; do sleep 0.1; done"};
        Child child(co_await asio::this_coro::executor, spec);
        co_await sleepFor(200ms); // it needs to have set its trap
        status = co_await child.end(300ms);
    };
    asio::co_spawn(io, task(), [](std::exception_ptr) {});
    io.run();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->signal(), SIGKILL);
}

TEST(Async, aDeadlineCancelsAndAwaitsTheWork) {
    bool unwound = false;
    auto work = [&]() -> awaitable<void> {
        struct Flag {
            bool& flag;
            ~Flag() { flag = true; }
        } flag{unwound};
        co_await sleepFor(1h);
    };
    EXPECT_THROW(runCoroutine(withDeadline(work(), 10ms, "too long")), TimedOut);
    EXPECT_TRUE(unwound);
}

TEST(Async, aFailureBeforeTheDeadlinePasses) {
    auto work = []() -> awaitable<void> {
        co_await sleepFor(1ms);
        throw Error("as it was");
    };
    EXPECT_THROW(
        try { runCoroutine(withDeadline(work(), 1h, "too long")); } catch (const TimedOut&) { FAIL(); }, Error);
}

} // namespace
} // namespace holdfast
