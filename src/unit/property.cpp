#include "unit/property.hpp"

#include <cstdint>
#include <sched.h>

#include <boost/algorithm/string/replace.hpp>
#include <fmt/format.h>

namespace holdfast {

using Strings = std::vector<std::string>;

void addList(UnitProperties& properties, const char* name, bool allow, const Strings& values) {
    add(properties, name, sdbus::Struct<bool, Strings>(allow, values));
}

/// Not as "ExecStartEx" with "no-env-expand": systemd 252 writes that name into the unit's file, which no
/// daemon-reload then understands, and ExecStopPost= and the limits are gone. As it would otherwise expand $NAME in
/// arguments, and split them, each $ is doubled; in the program's own path it expands nothing.
void addCommand(UnitProperties& properties, const char* name, const Strings& argv) {
    using Command = sdbus::Struct<std::string, Strings, bool>;
    Strings escaped;
    for (const auto& argument : argv) escaped.push_back(boost::algorithm::replace_all_copy(argument, "$", "$$"));
    constexpr bool mayFail = false;
    add(properties, name, std::vector<Command>{Command(argv.front(), escaped, mayFail)});
}

/// Of none at all, systemd 252 writes "RestrictNamespaces=" into the unit's file, which lifts the restriction at the
/// next daemon-reload. One kind must remain, and a host name of its own is the least that there is.
void forbidNamespaces(UnitProperties& properties) {
    add(properties, "RestrictNamespaces", std::uint64_t{CLONE_NEWUTS});
}

void addLogFields(UnitProperties& properties, const std::vector<std::pair<std::string, std::string>>& fields) {
    std::vector<std::vector<std::uint8_t>> lines;
    for (const auto& [name, value] : fields) {
        const auto line = fmt::format("{}={}", name, value);
        lines.emplace_back(line.begin(), line.end());
    }
    add(properties, "LogExtraFields", lines);
}

} // namespace holdfast
