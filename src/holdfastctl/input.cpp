#include "holdfastctl/input.hpp"

#include "util/error.hpp"
#include "util/fd.hpp"
#include "util/text.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast::ctl {
namespace {

/// What the service takes; there is no use in sending more.
constexpr std::size_t documentLimit = 64 * 1024;

std::string readUpTo(int fd, std::size_t limit, const std::string& name) {
    std::string content;
    char chunk[16 * 1024];
    while (true) {
        const auto got = ::read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw Error(fmt::format("{} cannot be read: {}.", name, std::strerror(errno)));
        if (got == 0) return content;
        content.append(chunk, static_cast<std::size_t>(got));
        if (content.size() > limit) {
            throw Error(fmt::format("{} is larger than the {} KiB that a job document may have.", name, limit / 1024));
        }
    }
}

} // namespace

std::string readDocument(const std::string& file) {
    if (file == "-") return readUpTo(STDIN_FILENO, documentLimit, "Standard input");
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw Error(fmt::format("{} cannot be opened: {}.", file, std::strerror(errno)));
    return readUpTo(fd.get(), documentLimit, file);
}

bool confirm(const std::string& question, bool otherwise) {
    std::cerr << harmless(question) << (otherwise ? " [Y/n] " : " [y/N] ") << std::flush;
    std::string answer;
    if (!std::getline(std::cin, answer)) {
        std::cerr << "\n";
        return otherwise;
    }
    if (answer == "y" || answer == "Y" || answer == "yes") return true;
    if (answer == "n" || answer == "N" || answer == "no") return false;
    return otherwise;
}

} // namespace holdfast::ctl
