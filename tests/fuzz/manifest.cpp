#include "run/manifest.hpp"
#include "fuzz/fuzz.hpp"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::read([&] {
        const auto written = serialize(parseManifest(fuzz::textOf(data, size)));
        fuzz::require(serialize(parseManifest(written)) == written, "a manifest is read as it was written");
    });
    return 0;
}
