#pragma once

#include <optional>
#include <string>

#include <sdbus-c++/Types.h>

namespace holdfast {

constexpr auto managerPath = "/org/holdfast1";
constexpr auto jobsPath = "/org/holdfast1/job";

/// `/org/holdfast1/job/<name>`, the name escaped as sd_bus_path_encode(3) does.
sdbus::ObjectPath jobPath(const std::string& name);
/// The name of the job that has this path; nothing if no job can have it.
std::optional<std::string> jobAt(const std::string& path);

/// `/org/holdfast1/run/<id>`. An id needs no escaping, so that people can put the path together themselves.
sdbus::ObjectPath runPath(const std::string& id);

} // namespace holdfast
