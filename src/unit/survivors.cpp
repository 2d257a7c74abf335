#include "unit/survivors.hpp"

#include <filesystem>
#include <fstream>

namespace holdfast {

std::vector<pid_t> survivors(const std::string& unit) {
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

} // namespace holdfast
