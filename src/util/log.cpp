#include "util/log.hpp"

#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace holdfast {

void log(LogLevel level, std::string_view text) {
    static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
    std::string line = journal ? fmt::format("<{}>", static_cast<int>(level)) : std::string();
    for (const char c : text) {
        if (c == '\n')
            line += " | ";
        else
            line += c;
    }
    line += '\n';
    // A log that cannot be written has nowhere to be reported.
    [[maybe_unused]] const auto put = ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace holdfast
