#include "job/limits.hpp"

#include "job/document.hpp"
#include "job/units.hpp"
#include "job/validation.hpp"
#include "util/error.hpp"

#include <charconv>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using nlohmann::json;

namespace {

using Number = std::uint64_t;
using ParseNumber = Number (*)(std::string_view);

constexpr Number infinity = std::numeric_limits<Number>::max();

Number orInfinity(std::string_view text, ParseNumber parse) { return text == "infinity" ? infinity : parse(text); }

Number parseMemoryMax(std::string_view text) { return orInfinity(text, parseSize); }
Number parseRuntimeMax(std::string_view text) { return orInfinity(text, parseTimeSpan); }

Number parseTasksMax(std::string_view text) {
    if (text == "infinity") return infinity;
    Number count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error == std::errc{} && end == text.data() + text.size()) return count;
    throw Error(fmt::format("{} is not a number of tasks: write a number such as 256, or \"infinity\"", shown(text)));
}

/// Integers are read as if they had been written as text: both mean the same in systemd.
std::string spelling(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::optional<Number> resolve(const json& object, const std::string& at, const std::string& name, ParseNumber parse,
                              std::vector<Problem>& problems) {
    const auto value = object.find(name);
    const auto pointer = at + name;
    if (value == object.end() || isReported(problems, pointer)) return std::nullopt;
    try {
        const auto number = parse(spelling(*value));
        if (number > 0) return number;
        problems.push_back({pointer, "range", name + " must be more than zero"});
    } catch (const Error& error) {
        problems.push_back({pointer, "limit", fmt::format("{}: {}", name, error.what())});
    }
    return std::nullopt;
}

} // namespace

Limits resolveLimits(const json& limits, std::vector<Problem>& problems) {
    Limits resolved;
    if (!limits.is_object()) return resolved;
    resolved.memoryMax = resolve(limits, "/limits/", "memoryMax", parseMemoryMax, problems);
    resolved.cpuQuotaPerSecUSec = resolve(limits, "/limits/", "cpuQuota", parseCpuQuota, problems);
    resolved.runtimeMax = resolve(limits, "/limits/", "runtimeMax", parseRuntimeMax, problems);
    resolved.tasksMax = resolve(limits, "/limits/", "tasksMax", parseTasksMax, problems);
    resolved.bandwidth = resolve(limits, "/limits/", "bandwidth", parseSize, problems);
    return resolved;
}

std::optional<std::uint64_t> resolveOutputMax(const json& script, std::vector<Problem>& problems) {
    if (!script.is_object()) return std::nullopt;
    return resolve(script, "/preprocessConfig/script/", "outputMax", parseSize, problems);
}

std::optional<std::uint64_t> resolveDrillMax(const json& drill, std::vector<Problem>& problems) {
    if (!drill.is_object()) return std::nullopt;
    return resolve(drill, "/drill/", "maxSize", parseSize, problems);
}

} // namespace holdfast
