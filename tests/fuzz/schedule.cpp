#include "job/schedule.hpp"
#include "fuzz/fuzz.hpp"
#include "job/units.hpp"

using namespace holdfast;

/// What becomes of a schedule is itself one; and the sizes and spans of a job's limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::textOf(data, size);
    fuzz::read([&] {
        for (const auto& expression : toOnCalendar(text)) {
            fuzz::require(expression.find('\n') == std::string::npos, "an expression is one line");
            fuzz::require(toOnCalendar(expression).size() == 1, "an expression is in systemd's form");
        }
    });
    fuzz::read([&] { parseSize(text); });
    fuzz::read([&] { parseTimeSpan(text); });
    fuzz::read([&] { parseCpuQuota(text); });
    return 0;
}
