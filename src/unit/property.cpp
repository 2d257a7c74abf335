#include "unit/property.hpp"

#include <cstdint>

#include <fmt/format.h>

namespace holdfast {

using Strings = std::vector<std::string>;

void addList(UnitProperties& properties, const char* name, bool allow, const Strings& values) {
    add(properties, name, sdbus::Struct<bool, Strings>(allow, values));
}

/// "no-env-expand": systemd would otherwise expand $NAME in arguments and split them.
void addCommand(UnitProperties& properties, const char* name, const Strings& argv) {
    using Command = sdbus::Struct<std::string, Strings, Strings>;
    add(properties, name, std::vector<Command>{Command(argv.front(), argv, Strings{"no-env-expand"})});
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
