#include "bus/variant.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

const std::string mark = "\xEF\xBF\xBD";

TEST(BusText, LeavesValidTextAlone) {
    for (const std::string text : {"", "plain", "Größe 界 \xF0\x9F\x9A\x80", "line\nbreak\ttab"})
        EXPECT_EQ(busText(text), text);
}

TEST(BusText, ReplacesWhatABusStringMayNotHold) {
    EXPECT_EQ(busText(std::string("a\0b", 3)), "a" + mark + "b");
    EXPECT_EQ(busText("a\xFF\xFE"), "a" + mark + mark);
    EXPECT_EQ(busText("cut \xE7\x95"), "cut " + mark + mark);
    EXPECT_EQ(busText("\xC0\xAF"), mark + mark) << "overlong";
    EXPECT_EQ(busText("\xED\xA0\x80"), mark + mark + mark) << "surrogate";
    EXPECT_EQ(busText("\xEF\xB7\x90"), mark + mark + mark) << "noncharacter U+FDD0";
    EXPECT_EQ(busText("\xEF\xBF\xBF"), mark + mark + mark) << "noncharacter U+FFFF";
    EXPECT_EQ(busText("\xF4\x90\x80\x80"), mark + mark + mark + mark) << "beyond U+10FFFF";
}

TEST(BusText, MakesEveryShortSequenceFitForTheBus) {
    // sd-bus itself is the judge: it refuses to marshal what is not a D-Bus string.
    for (unsigned lead = 0x7F; lead <= 0xFF; ++lead) {
        for (unsigned next = 0; next <= 0xFF; ++next) {
            const std::string text{static_cast<char>(lead), static_cast<char>(next), '\x80', '\x80'};
            EXPECT_NO_THROW(sdbus::Variant{busText(text)}) << lead << " " << next;
        }
    }
}

TEST(BusText, IsNeededBecauseSdBusRefuses) { EXPECT_THROW(sdbus::Variant{std::string("\xFF")}, sdbus::Error); }

std::string typeOf(const nlohmann::json& value) { return toVariant(value).peekValueType(); }

TEST(ToVariant, PicksTheType) {
    EXPECT_EQ(typeOf("text"), "s");
    EXPECT_EQ(typeOf(true), "b");
    EXPECT_EQ(typeOf(7U), "t");
    EXPECT_EQ(typeOf(7), "t");
    EXPECT_EQ(typeOf(-7), "x");
    EXPECT_EQ(typeOf(1.5), "d");
    EXPECT_EQ(typeOf(nlohmann::json::array()), "as");
    EXPECT_EQ(typeOf(nlohmann::json::array({"a", "b"})), "as");
    EXPECT_EQ(typeOf(nlohmann::json::array({"a", 1})), "s");
    EXPECT_EQ(typeOf(nlohmann::json::object()), "s");
}

TEST(ToVariant, KeepsTheValue) {
    EXPECT_EQ(toVariant("text").get<std::string>(), "text");
    EXPECT_EQ(toVariant(UINT64_MAX).get<std::uint64_t>(), UINT64_MAX);
    EXPECT_EQ(toVariant(INT64_MIN).get<std::int64_t>(), INT64_MIN);
    EXPECT_EQ(toVariant(nlohmann::json::array({"a", "b"})).get<std::vector<std::string>>(),
              (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(toVariant(nlohmann::json{{"k", {1, 2}}}).get<std::string>(), R"({"k":[1,2]})");
}

TEST(ToVariantMap, LeavesNullsOut) {
    const auto map = toVariantMap({{"gitCommitHash", "abc"}, {"scriptExitCode", nullptr}, {"bytesProcessed", 12}});
    ASSERT_EQ(map.size(), 2U);
    EXPECT_EQ(map.at("gitCommitHash").get<std::string>(), "abc");
    EXPECT_EQ(map.at("bytesProcessed").get<std::uint64_t>(), 12U);
}

TEST(ToVariantMap, OfNoObjectIsEmpty) { EXPECT_TRUE(toVariantMap(nullptr).empty()); }

} // namespace
} // namespace holdfast
