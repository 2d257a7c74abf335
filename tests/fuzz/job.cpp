#include "job/job.hpp"
#include "fuzz/fuzz.hpp"

using namespace holdfast;

/// A job that is taken is taken again as it was stored.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto job = parseJob(fuzz::textOf(data, size));
        fuzz::require(parseJob(job.text).name == job.name, "a stored job is the same job");
    } catch (const InvalidJob& e) {
        fuzz::require(!e.problems().empty(), "a refusal says why");
    }
    return 0;
}
