#include "util/child.hpp"

#include "util/async.hpp"
#include "util/error.hpp"
#include "util/spawn.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace holdfast {

using namespace std::chrono_literals;

int ExitStatus::code() const { return WIFEXITED(raw_) ? WEXITSTATUS(raw_) : -1; }
int ExitStatus::signal() const { return WIFSIGNALED(raw_) ? WTERMSIG(raw_) : 0; }

std::string ExitStatus::describe() const {
    if (signal() == 0) return fmt::format("exited with status {}", code());
    const char* name = ::sigabbrev_np(signal());
    return fmt::format("was killed by SIG{}", name ? name : std::to_string(signal()).c_str());
}

const char* childPath() { return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"; }

PipeEnds makePipe(int capacity) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) throwErrno("make a pipe");
    PipeEnds pipe{Fd(ends[0]), Fd(ends[1])};
    // A smaller pipe (fs.pipe-user-pages-soft) is slower, not wrong.
    if (capacity > 0) ::fcntl(pipe.write.get(), F_SETPIPE_SZ, capacity);
    return pipe;
}

namespace {

std::filesystem::path findProgram(const std::string& name) {
    if (name.starts_with('/')) return name;
    const std::string path = childPath();
    for (std::size_t begin = 0; begin < path.size();) {
        const auto end = std::min(path.find(':', begin), path.size());
        auto candidate = std::filesystem::path(path.substr(begin, end - begin)) / name;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
        begin = end + 1;
    }
    throw Error(fmt::format("The program \"{}\" is not installed (looked in {}).", name, path));
}

Fd openNull() {
    Fd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!fd) throwErrno("open /dev/null");
    return fd;
}

} // namespace

bool isInstalled(const std::string& program) {
    try {
        findProgram(program);
        return true;
    } catch (const Error&) {
        return false;
    }
}

/// The end of a program's standard error, read as it comes so that the program never waits for us.
struct Child::Tail {
    Tail(asio::any_io_executor executor, Fd fd, std::size_t keepLines) : from(executor, fd.release()), keep(keepLines) {
        from.non_blocking(true);
    }

    asio::posix::stream_descriptor from;
    std::size_t keep;
    std::deque<std::string> lines{""};
    static constexpr std::size_t maxLine = 2000;

    void add(std::string_view text) {
        for (const char c : text) {
            if (c == '\n') {
                lines.emplace_back();
                if (lines.size() > keep + 1) lines.pop_front();
            } else if (lines.back().size() < maxLine) {
                lines.back() += c;
            }
        }
    }

    static awaitable<void> follow(std::shared_ptr<Tail> tail) {
        boost::system::error_code ended;
        while (!ended) {
            co_await tail->from.async_wait(asio::posix::stream_descriptor::wait_read,
                                           asio::redirect_error(asio::use_awaitable, ended));
            if (!tail->takeWhatIsThere()) break;
        }
    }

    /// False at the end. A program that has ended has written all that it will, so its last words are there to take.
    bool takeWhatIsThere() {
        std::array<char, 4096> buffer;
        boost::system::error_code failed;
        while (true) {
            const auto got = from.read_some(asio::buffer(buffer), failed);
            if (failed) return failed == asio::error::would_block;
            add({buffer.data(), got});
        }
    }
};

/// Kills in its destructor what still runs, and waits for its end.
struct Child::Process {
    Process(const asio::any_io_executor& executor, const Program& program) : Process(executor, spawn(program)) {
        const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); // glibc 2.36 declares its own for C only
        if (fd < 0) throwErrno("watch a program that was started");
        pidfd.assign(fd);
    }
    Process(const Process&) = delete;
    ~Process() {
        signal(SIGKILL);
        reap(0);
    }

    void signal(int number) const {
        if (!ended) ::kill(pid, number);
    }

    bool reap(int options) {
        int raw = 0;
        while (!ended) {
            const auto got = ::waitpid(pid, &raw, options);
            if (got == pid)
                ended = ExitStatus(raw);
            else if (got == 0 || errno != EINTR)
                break;
        }
        return ended.has_value();
    }

    pid_t pid;
    asio::posix::stream_descriptor pidfd; ///< readable when the program has ended
    std::optional<ExitStatus> ended{};

  private:
    /// From here on the destructor ends it, whatever becomes of the rest of the other constructor.
    Process(const asio::any_io_executor& executor, pid_t started) : pid(started), pidfd(executor) {}
};

Child::Child(asio::any_io_executor executor, const ChildSpec& spec) {
    const Fd null = openNull();
    auto err = makePipe();
    tail_ = std::make_shared<Tail>(executor, std::move(err.read), spec.errorLines);

    Program program{.file = findProgram(spec.argv.at(0)),
                    .argv = spec.argv,
                    .environment = {std::string("PATH=") + childPath(), "LANG=C.UTF-8", "HOME=/var/lib/holdfast"},
                    .in = spec.in < 0 ? null.get() : spec.in,
                    .out = spec.out < 0 ? null.get() : spec.out,
                    .err = err.write.get(),
                    .keep = spec.keep};
    program.environment.insert(program.environment.end(), spec.environment.begin(), spec.environment.end());
    process_ = std::make_unique<Process>(executor, program);
    asio::co_spawn(executor, Tail::follow(tail_), asio::detached);
}

Child::Child(Child&&) noexcept = default;
Child::~Child() = default;

awaitable<ExitStatus> Child::wait() {
    while (!process_->reap(WNOHANG)) {
        co_await process_->pidfd.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    }
    tail_->takeWhatIsThere();
    co_return *process_->ended;
}

awaitable<ExitStatus> Child::end(std::chrono::microseconds grace) {
    using namespace asio::experimental::awaitable_operators;
    if (process_->ended) co_return *process_->ended;
    signal(SIGTERM);
    const auto first = co_await (wait() || sleepFor(grace));
    if (first.index() == 0) co_return std::get<0>(first);
    signal(SIGKILL);
    co_return co_await wait();
}

void Child::signal(int number) { process_->signal(number); }

std::string Child::errorTail() const {
    std::string text;
    for (const auto& line : tail_->lines) {
        if (line.empty()) continue;
        if (!text.empty()) text += '\n';
        text += line;
    }
    return text;
}

namespace {

awaitable<void> writeInput(asio::posix::stream_descriptor to, const std::string& input) {
    boost::system::error_code closed; // a program need not read all of its input
    co_await asio::async_write(to, asio::buffer(input), asio::redirect_error(asio::use_awaitable, closed));
}

awaitable<void> readOutput(asio::posix::stream_descriptor from, std::string& output, std::size_t limit) {
    std::array<char, 64 * 1024> buffer;
    boost::system::error_code ended;
    while (true) {
        const auto got =
            co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ended));
        if (ended) co_return;
        if (output.size() + got > limit) throw Error("A program wrote more than expected.");
        output.append(buffer.data(), got);
    }
}

} // namespace

awaitable<ChildOutput> runChild(ChildSpec spec, std::chrono::microseconds deadline, std::string input,
                                std::size_t limit) {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    auto in = makePipe();
    auto out = makePipe();
    spec.in = in.read.get();
    spec.out = out.write.get();
    Child child(executor, spec);
    in.read.reset();
    out.write.reset();

    std::string output;
    std::exception_ptr failure;
    try {
        auto talk = [&]() -> awaitable<void> {
            co_await (writeInput(asio::posix::stream_descriptor(executor, in.write.release()), input) &&
                      readOutput(asio::posix::stream_descriptor(executor, out.read.release()), output, limit));
            co_await child.wait();
        };
        co_await withDeadline(talk(), deadline,
                              fmt::format("{} did not end within {} s.", spec.argv.at(0), deadline / 1s));
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
        if (toldToStop) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await child.end(10s);
        std::rethrow_exception(failure);
    }
    const auto status = co_await child.wait();
    ChildOutput result{status, std::move(output), child.errorTail()};
    co_return result;
}

} // namespace holdfast
