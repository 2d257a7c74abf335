#pragma once

#include "util/asio.hpp"
#include "util/fd.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

namespace holdfast {

/// How a program ended, as wait(2) tells it.
class ExitStatus {
  public:
    explicit ExitStatus(int raw) : raw_(raw) {}
    [[nodiscard]] bool ok() const { return raw_ == 0; }
    /// Exit code, or -1 if a signal ended it.
    [[nodiscard]] int code() const;
    /// Signal, or 0 if it exited.
    [[nodiscard]] int signal() const;
    /// "exited with status 3", "was killed by SIGKILL".
    [[nodiscard]] std::string describe() const;

  private:
    int raw_;
};

struct ChildSpec {
    std::vector<std::string> argv;          ///< argv[0]: absolute, or looked up in childPath()
    int in = -1;                            ///< descriptor that becomes standard input; -1 = /dev/null
    int out = -1;                           ///< … standard output; -1 = /dev/null
    std::vector<std::string> environment{}; ///< "NAME=value", beside the few fixed ones
    std::size_t errorLines = 40;            ///< how much of the end of standard error is kept
    std::vector<int> keep{};                ///< further descriptors that it gets, under the same number
};

/// A running program: clean environment, no descriptors but those of its ChildSpec, and SIGKILL if we die or let go of
/// it.
class Child {
  public:
    /// Throws `Error` if the program is not there or cannot be run.
    Child(asio::any_io_executor executor, const ChildSpec& spec);
    Child(Child&&) noexcept;
    ~Child();

    /// May be cancelled and called again.
    awaitable<ExitStatus> wait();
    /// SIGTERM, and SIGKILL if that does not end it within `grace`. Does nothing to a program that has ended.
    awaitable<ExitStatus> end(std::chrono::microseconds grace);
    void signal(int number);

    /// The last lines that it wrote to standard error, without a line break at the end.
    [[nodiscard]] std::string errorTail() const;

  private:
    struct Tail;
    struct Process;

    std::shared_ptr<Tail> tail_;
    std::unique_ptr<Process> process_;
};

struct ChildOutput {
    ExitStatus status;
    std::string out;
    std::string errorTail;
};

/// Runs a program to its end with `input` on its standard input and keeps up to `limit` bytes of its standard output
/// (more is an `Error`). After `deadline` it is ended (TERM, then KILL after 10 s) and an `Error` says so.
awaitable<ChildOutput> runChild(ChildSpec spec, std::chrono::microseconds deadline, std::string input = {},
                                std::size_t limit = 16 * 1024 * 1024);

/// Whether there is such a program where ours are looked up.
bool isInstalled(const std::string& program);

/// Where programs are looked up: a fixed path, whatever our own environment says.
const char* childPath();

/// A pipe with both ends close-on-exec and, if the system allows, room for `capacity` bytes. Throws
/// `std::system_error`.
struct PipeEnds {
    Fd read, write;
};
PipeEnds makePipe(int capacity = 0);

} // namespace holdfast
