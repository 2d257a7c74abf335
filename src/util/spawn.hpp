#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace holdfast {

struct Program {
    std::filesystem::path file;
    std::vector<std::string> argv;
    std::vector<std::string> environment; ///< "NAME=value"
    int in, out, err;                     ///< descriptors that become its three
    std::vector<int> keep{};              ///< descriptors that it gets under the same number; it gets no others
};

/// Starts a program that the kernel kills when this thread ends, with no signal blocked, ignored or handled. Returns
/// its process id, for the caller to wait for. Throws `Error` if it cannot be run.
///
/// As posix_spawn(3) does it, which knows no PR_SET_PDEATHSIG: by vfork(2). After a fork(2) each of the two processes
/// copies every page that it touches, which takes longer than all else that a start does.
pid_t spawn(const Program& program);

} // namespace holdfast
