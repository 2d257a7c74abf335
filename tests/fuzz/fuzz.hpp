#pragma once

#include "util/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast::fuzz {

inline std::string textOf(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Reads; input may be refused, but only with a sentence that a person can act on. All else ends the fuzzer.
template<typename Read>
void read(Read reads) {
    try {
        reads();
    } catch (const Error&) {
        return;
    }
}

/// As read(), with the text's JSON. What is no JSON is not given to those who take it parsed.
template<typename Read>
void readJson(const std::string& text, Read reads) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_discarded()) read([&] { reads(json); });
}

inline void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
}

} // namespace holdfast::fuzz

/// A target is this one function.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
