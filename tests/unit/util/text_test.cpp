#include "util/text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::string_literals;

TEST(Harmless, leavesPlainTextAlone) {
    EXPECT_EQ(harmless("nightly-tank: 1.2 GiB"), "nightly-tank: 1.2 GiB");
    EXPECT_EQ(harmless("Käse 界 🧀"), "Käse 界 🧀");
    EXPECT_EQ(harmless(""), "");
}

TEST(Shortened, keepsBeginningAndEnd) {
    EXPECT_EQ(shortened("short", 20), "short");
    const auto cut = shortened("begin" + std::string(5000, 'x') + "end", 100);
    EXPECT_LE(cut.size(), 100U);
    EXPECT_TRUE(cut.starts_with("begin"));
    EXPECT_TRUE(cut.ends_with("end"));
    EXPECT_NE(cut.find(" … "), std::string::npos);
}

TEST(Shortened, cutsNoCharacter) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "界";
    for (std::size_t most = 50; most < 60; ++most) {
        const auto cut = shortened(text, most);
        EXPECT_EQ(harmless(cut), cut) << most;
        EXPECT_LE(cut.size(), most);
    }
}

TEST(Harmless, spellsOutControlCharacters) {
    EXPECT_EQ(harmless("\x1b[2Jgone"), "\\x1b[2Jgone");
    EXPECT_EQ(harmless("a\r\bb\x7f"), "a\\x0d\\x08b\\x7f");
    EXPECT_EQ(harmless("a\0b"s), "a\\x00b");
}

TEST(Harmless, spellsOutTheEightBitEscape) {
    EXPECT_EQ(harmless("\xc2\x9b"
                       "2J"),
              "\\x9b"
              "2J");
}

TEST(Harmless, spellsOutWhatIsNotUtf8) {
    EXPECT_EQ(harmless("a\xff"
                       "b"),
              "a\\xffb");
    EXPECT_EQ(harmless("cut \xe7\x95"), "cut \\xe7\\x95");
    EXPECT_EQ(harmless("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80"); // beyond the end of Unicode
    EXPECT_EQ(harmless("\xed\xa0\x80"), "\\xed\\xa0\\x80");          // half a surrogate pair
    EXPECT_EQ(harmless("\xef\xbf\xbe"), "\\xef\\xbf\\xbe");          // U+FFFE, which D-Bus libraries refuse
}

TEST(Harmless, spellsOutMarksThatReorderText) {
    EXPECT_EQ(harmless("a\u202eb"), "a\\u202eb");
    EXPECT_EQ(harmless("a\u2028b\ufeff"), "a\\u2028b\\ufeff");
}

TEST(Harmless, isOneLine) { EXPECT_EQ(harmless("a\nb\tc"), "a\\nb\\tc"); }

TEST(HarmlessLines, keepsOnlyLineBreaks) { EXPECT_EQ(harmlessLines("a\nb\x1b\r\n"), "a\nb\\x1b\\x0d\n"); }

TEST(DisplayWidth, countsColumns) {
    EXPECT_EQ(displayWidth(""), 0U);
    EXPECT_EQ(displayWidth("tank"), 4U);
    EXPECT_EQ(displayWidth("Käse"), 4U);
    EXPECT_EQ(displayWidth("世界"), 4U);
    EXPECT_EQ(displayWidth("e\u0301"), 1U);
}

TEST(CutToWidth, neverCutsACharacter) {
    EXPECT_EQ(cutToWidth("世界", 3), "世");
    EXPECT_EQ(cutToWidth("Käse", 2), "Kä");
    EXPECT_EQ(cutToWidth("tank", 9), "tank");
    EXPECT_EQ(cutToWidth("tank", 0), "");
}

TEST(FormatTable, alignsByDisplayWidth) {
    EXPECT_EQ(formatTable({{"JOB", "RESULT"}, {"世界", "done"}, {"Käse-tank", "failed"}}), "JOB        RESULT\n"
                                                                                           "世界       done\n"
                                                                                           "Käse-tank  failed\n");
}

TEST(FormatTable, hasNoBlanksAtTheEndOfALine) {
    EXPECT_EQ(formatTable({{"A", "LONG HEADER"}, {"b", ""}, {"c"}}), "A  LONG HEADER\nb\nc\n");
}

TEST(FormatTable, paintsWithoutMovingColumns) {
    const auto paint = [](std::size_t row, std::size_t column, const std::string& cell) {
        return row == 1 && column == 0 ? "\x1b[31m" + cell + "\x1b[0m" : cell;
    };
    EXPECT_EQ(formatTable({{"RESULT", "JOB"}, {"bad", "a"}}, paint), "RESULT  JOB\n\x1b[31mbad\x1b[0m     a\n");
}

TEST(FormatTable, ofNothingIsNothing) { EXPECT_EQ(formatTable({}), ""); }

} // namespace
} // namespace holdfast
