#pragma once

#include "util/asio.hpp"
#include "util/fd.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast {

/// The last lines of a program's output, whatever bytes it writes.
class LastLines {
  public:
    LastLines(std::size_t lines, std::size_t lineLength) : lines_(lines), lineLength_(lineLength) {}

    void add(std::string_view bytes);
    /// Without empty lines; what could steer a terminal is spelled out. Lines are separated by line breaks.
    [[nodiscard]] std::string text() const;

  private:
    std::size_t lines_;
    std::size_t lineLength_; ///< the rest of a longer line is dropped
    std::deque<std::string> kept_{""};
};

/// Takes what a script writes through a pipe to the journal, under the script's name, and keeps its last lines. The
/// script never waits for the journal: what that does not take at once is dropped there.
class ScriptLog {
  public:
    /// Both programs' ends of the pipe; the script gets `write()`.
    explicit ScriptLog(const std::string& scriptName);

    [[nodiscard]] int write() const { return write_.get(); }
    /// Once the script has its end, ours must go, so that the end of its output is seen.
    void closeWrite() { write_.reset(); }
    /// Until it is cancelled.
    awaitable<void> follow();
    /// What is in the pipe now.
    void takeWhatIsThere();
    [[nodiscard]] std::string lastLines() const { return last_.text(); }

  private:
    void pass(std::string_view bytes);

    Fd read_, write_;
    Fd journal_;
    LastLines last_;
};

} // namespace holdfast
