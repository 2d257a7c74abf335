#include "run/memory.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace holdfast {

namespace {

/// The file of our memory cgroup that counts the kills: /proc/self/cgroup has "N:memory:/path" on v1, "0::/path" on v2.
std::string counterFile() {
    std::ifstream lines("/proc/self/cgroup");
    std::string unified;
    for (std::string line; std::getline(lines, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const auto path = line.substr(second + 1);
        if (controllers.find(",memory,") != std::string::npos) {
            return "/sys/fs/cgroup/memory" + path + "/memory.oom_control";
        }
        if (controllers == ",,") unified = "/sys/fs/cgroup" + path + "/memory.events";
    }
    return unified;
}

} // namespace

std::optional<std::uint64_t> oomKills() {
    std::ifstream counters(counterFile());
    std::string name;
    for (std::uint64_t value = 0; counters >> name >> value;) {
        if (name == "oom_kill") return value;
    }
    return std::nullopt;
}

} // namespace holdfast
