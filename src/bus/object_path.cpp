#include "bus/object_path.hpp"

#include <cstdlib>
#include <memory>
#include <system_error>

#include <systemd/sd-bus.h>

namespace holdfast {

sdbus::ObjectPath jobPath(const std::string& name) {
    char* path = nullptr;
    const int r = ::sd_bus_path_encode(jobsPath, name.c_str(), &path);
    if (r < 0) throw std::system_error(-r, std::generic_category(), "object path of job " + name);
    const std::unique_ptr<char, decltype(&std::free)> owned(path, &std::free);
    return sdbus::ObjectPath(owned.get());
}

std::optional<std::string> jobAt(const std::string& path) {
    char* decoded = nullptr;
    if (::sd_bus_path_decode(path.c_str(), jobsPath, &decoded) <= 0) return std::nullopt;
    const std::unique_ptr<char, decltype(&std::free)> owned(decoded, &std::free);
    const std::string name = owned.get();
    if (jobPath(name) != path) return std::nullopt; // a second spelling of another path
    return name;
}

sdbus::ObjectPath runPath(const std::string& id) { return sdbus::ObjectPath("/org/holdfast1/run/" + id); }

} // namespace holdfast
