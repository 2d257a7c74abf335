#include "util/child.hpp"

#include "util/async.hpp"
#include "util/error.hpp"

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
#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace holdfast {

namespace process = boost::process::v2;
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

/// What happens between fork and exec: only async-signal-safe calls.
struct ExecSetup {
    int in, out, err;

    template<typename Launcher>
    boost::system::error_code on_exec_setup(Launcher&, const process::filesystem::path&, const char* const*) const {
        if (::dup2(in, STDIN_FILENO) < 0 || ::dup2(out, STDOUT_FILENO) < 0 || ::dup2(err, STDERR_FILENO) < 0) {
            return {errno, boost::system::system_category()};
        }
        // The launcher of Boost 1.81 leaves descriptors below its own pipe open: it compares each with itself.
        ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::signal(SIGPIPE, SIG_DFL); // we ignore it, and an ignored signal would stay ignored
        return {};
    }
};

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

/// Boost's process object kills and reaps in its destructor what still runs. Its own async_wait is not used: Asio may
/// tell of a descriptor what was true of a closed one whose place it took, and Boost then waits with the whole program.
struct Child::Reaper {
    explicit Reaper(process::basic_process<asio::any_io_executor> started)
        : process(std::move(started)), pidfd(process.get_executor(), open(process.id())) {}

    static int open(pid_t pid) {
        const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); // glibc 2.36 declares its own for C only
        if (fd < 0) throwErrno("watch a program that was started");
        return fd;
    }

    bool reap() {
        if (!ended && !process.running()) ended = ExitStatus(process.native_exit_code());
        return ended.has_value();
    }

    process::basic_process<asio::any_io_executor> process;
    asio::posix::stream_descriptor pidfd; ///< readable when the program has ended
    std::optional<ExitStatus> ended{};
};

Child::Child(asio::any_io_executor executor, const ChildSpec& spec) {
    const auto program = findProgram(spec.argv.at(0));
    const Fd null = openNull();
    auto err = makePipe();
    tail_ = std::make_shared<Tail>(executor, std::move(err.read), spec.errorLines);

    std::vector<std::string> environment{std::string("PATH=") + childPath(), "LANG=C.UTF-8", "HOME=/var/lib/holdfast"};
    environment.insert(environment.end(), spec.environment.begin(), spec.environment.end());
    const std::vector<std::string> arguments(spec.argv.begin() + 1, spec.argv.end());

    process::posix::default_launcher launcher;
    boost::system::error_code failed;
    const ExecSetup setup{spec.in < 0 ? null.get() : spec.in, spec.out < 0 ? null.get() : spec.out, err.write.get()};
    auto started = launcher(executor, failed, process::filesystem::path(program.string()), arguments,
                            process::process_environment(environment), setup);
    if (failed) throw Error(fmt::format("Could not run {}: {}.", program.string(), failed.message()));
    reaper_ = std::make_unique<Reaper>(std::move(started));
    asio::co_spawn(executor, Tail::follow(tail_), asio::detached);
}

Child::Child(Child&&) noexcept = default;
Child::~Child() = default;

awaitable<ExitStatus> Child::wait() {
    while (!reaper_->reap()) {
        co_await reaper_->pidfd.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    }
    tail_->takeWhatIsThere();
    co_return *reaper_->ended;
}

awaitable<ExitStatus> Child::end(std::chrono::microseconds grace) {
    using namespace asio::experimental::awaitable_operators;
    if (reaper_->ended) co_return *reaper_->ended;
    signal(SIGTERM);
    const auto first = co_await (wait() || sleepFor(grace));
    if (first.index() == 0) co_return std::get<0>(first);
    signal(SIGKILL);
    co_return co_await wait();
}

void Child::signal(int number) {
    if (!reaper_->ended) ::kill(reaper_->process.id(), number);
}

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
