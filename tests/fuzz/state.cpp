#include "run/state.hpp"
#include "fuzz/fuzz.hpp"

using namespace holdfast;

/// state.json and result.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::textOf(data, size);
    fuzz::readJson(text, [](const nlohmann::json& json) {
        const auto state = runStateFromJson(json);
        fuzz::require(toJson(runStateFromJson(toJson(state))) == toJson(state), "a state is read as it was written");
        fuzz::require(!statusLine(state, 3).empty() || state.phase.empty(), "a state has a line");
    });
    fuzz::readJson(text, [](const nlohmann::json& json) {
        const auto result = runResultFromJson(json);
        fuzz::require(toJson(runResultFromJson(toJson(result))) == toJson(result),
                      "a result is read as it was written");
    });
    return 0;
}
