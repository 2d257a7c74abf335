#include "run/plan.hpp"
#include "fuzz/fuzz.hpp"
#include "job/job.hpp"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        fuzz::readJson(fuzz::textOf(data, size), [](const nlohmann::json& json) {
            const auto written = toJson(planFromJson(json));
            fuzz::require(toJson(planFromJson(written)) == written, "a plan is read as it was written");
        });
    } catch (const InvalidJob& e) {
        fuzz::require(!e.problems().empty(), "a refusal says why");
    }
    return 0;
}
