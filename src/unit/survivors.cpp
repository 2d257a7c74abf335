#include "unit/survivors.hpp"

#include "util/async.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

std::vector<pid_t> processesIn(const std::string& unit) {
    // Where systemd keeps its hierarchy: cgroup v2 alone, v1 beside v2, v1 alone.
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}) {
        std::ifstream file(std::filesystem::path(root) / "holdfast.slice" / "holdfast-runs.slice" / unit /
                           "cgroup.procs");
        std::vector<pid_t> pids;
        for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
        if (!pids.empty()) return pids;
    }
    return {};
}

} // namespace

awaitable<std::vector<pid_t>> survivors(std::string unit) {
    const auto patience = std::chrono::steady_clock::now() + 5s;
    for (;;) {
        auto pids = processesIn(unit);
        if (pids.empty() || std::chrono::steady_clock::now() > patience) co_return pids;
        co_await sleepFor(20ms);
    }
}

} // namespace holdfast
