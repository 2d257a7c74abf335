#include "util/json.hpp"

#include "util/error.hpp"

#include <cstdint>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using nlohmann::json;

TEST(Json, naturalNumbersAreRead) {
    const auto object = json::parse(R"({"none": 0, "some": 7, "most": 18446744073709551615})");
    EXPECT_EQ(natural<std::uint64_t>(object, "none"), 0U);
    EXPECT_EQ(natural<std::uint32_t>(object, "some"), 7U);
    EXPECT_EQ(natural<std::uint64_t>(object, "most"), UINT64_MAX);
    EXPECT_EQ(natural<std::uint32_t>(json{{"signed", 5}}, "signed"), 5U);
    EXPECT_THROW(natural<std::uint32_t>(object, "absent"), json::out_of_range);
}

TEST(Json, whatIsNoNaturalNumberIsRefused) {
    for (const char* value : {"-1", "1.5", "2.77e25", "\"7\"", "null", "true", "[]", "4294967296"}) {
        const auto object = json::parse(std::string(R"({"attempt": )") + value + "}");
        EXPECT_THROW(natural<std::uint32_t>(object, "attempt"), Error) << value;
    }
    try {
        natural<std::uint32_t>(json{{"attempt", -1}}, "attempt");
        FAIL();
    } catch (const Error& e) {
        EXPECT_STREQ(e.what(), "\"attempt\" must be a whole number from 0 to 4294967295, but is -1.");
    }
}

TEST(Json, whatIsNestedTooDeeplyIsRefused) {
    const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
    EXPECT_NO_THROW(parseShallow(nested(32)));
    EXPECT_NO_THROW(parseShallow(std::string(32, '[') + "1" + std::string(32, ']')));
    EXPECT_THROW(parseShallow(nested(33)), Error);
    EXPECT_THROW(parseShallow(nested(1000000)), Error);
    EXPECT_THROW(parseShallow("[[["), json::parse_error);
}

} // namespace
} // namespace holdfast
