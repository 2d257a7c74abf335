#include "bus/options.hpp"

#include "bus/errors.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

/// What is said of options that are wrong.
template<typename Ask>
std::string complaint(Ask ask) {
    try {
        ask();
    } catch (const InvalidArgs& e) {
        return e.what();
    }
    return "";
}

VariantMap map(const std::string& name, sdbus::Variant value) {
    VariantMap options;
    options.emplace(name, std::move(value));
    return options;
}

TEST(Options, TakesWhatIsThere) {
    VariantMap given = map("job", sdbus::Variant{std::string("tank")});
    given.emplace("since", sdbus::Variant{std::uint64_t{5}});
    Options options(given);
    EXPECT_EQ(options.text("job", 10), "tank");
    EXPECT_EQ(options.number("since"), 5U);
    EXPECT_EQ(options.number("until"), std::nullopt);
    EXPECT_NO_THROW(options.refuseRest());
}

TEST(Options, NamesTheUnknownOne) {
    EXPECT_NE(complaint([] { refuseOptions(map("dryRun", sdbus::Variant{true})); }).find("\"dryRun\""),
              std::string::npos);
}

TEST(Options, AcceptsNone) { EXPECT_NO_THROW(refuseOptions({})); }

TEST(Options, RefusesTheWrongType) {
    EXPECT_NE(complaint([] { Options(map("job", sdbus::Variant{true})).text("job", 10); }).find("type s"),
              std::string::npos);
    EXPECT_NE(complaint([] { Options(map("since", sdbus::Variant{std::int32_t{5}})).number("since"); }).find("type t"),
              std::string::npos);
}

TEST(Options, BoundsText) {
    const auto given = map("job", sdbus::Variant{std::string(11, 'x')});
    EXPECT_NE(complaint([&] { Options(given).text("job", 10); }).find("10 bytes"), std::string::npos);
    EXPECT_EQ(Options(given).text("job", 11)->size(), 11U);
}

TEST(Options, DoesNotRepeatAnEndlessName) {
    const auto given = map(std::string(100'000, 'x'), sdbus::Variant{true});
    EXPECT_LT(complaint([&] { refuseOptions(given); }).size(), 200U);
}

} // namespace
} // namespace holdfast
