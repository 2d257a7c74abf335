#include "run/ledger.hpp"

#include "../temporary_folder.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <fstream>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

LedgerHeader someHeader() {
    return {.id = std::string(32, 'a'),
            .job = "nightly",
            .host = "box",
            .rcloneConfig = "/etc/holdfast/rclone.conf",
            .outputPath = "b2:x/y.tar",
            .kind = "streaming",
            .sourceType = "flash",
            .maxAttempts = 3,
            .cleanupOnFailure = false,
            .startedAt = 42};
}

TEST(Ledger, isReadableWithoutThePlan) {
    const TemporaryFolder folder;
    Ledger::create(folder / "l", someHeader()).acquire("scratch", {{"path", "/x"}});
    const auto ledger = Ledger::open(folder / "l");
    EXPECT_EQ(ledger.header().job, "nightly");
    EXPECT_EQ(ledger.header().outputPath, "b2:x/y.tar");
    EXPECT_FALSE(ledger.header().cleanupOnFailure);
    EXPECT_EQ(ledger.header().startedAt, 42U);
}

TEST(Ledger, listsWhatIsOutstandingNewestFirst) {
    const TemporaryFolder folder;
    auto ledger = Ledger::create(folder / "l", someHeader());
    ledger.acquire("snapshot", {{"name", "a"}});
    const auto lock = ledger.acquire("git-lock", {{"path", "b"}});
    ledger.acquire("object", {{"object", "c"}}, OnFailure::Keep);
    ledger.released(lock);

    const auto again = Ledger::open(folder / "l");
    const auto left = again.outstanding();
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].kind, "object");
    EXPECT_EQ(left[0].onFailure, OnFailure::Keep);
    EXPECT_EQ(left[1].kind, "snapshot");
    EXPECT_EQ(left[1].what.at("name"), "a");
}

TEST(Ledger, rememberWhatACommitChanges) {
    const TemporaryFolder folder;
    auto ledger = Ledger::create(folder / "l", someHeader());
    ledger.acquire("hold", {});
    ledger.acquire("snapshot", {}, OnFailure::Keep, OnCommit::Keep);
    ledger.acquire("base", {}, OnFailure::Undo, OnCommit::Finish);

    const auto left = Ledger::open(folder / "l").outstanding();
    ASSERT_EQ(left.size(), 3U);
    EXPECT_FALSE(ledger.isCommitted());
    ledger.committed();
    EXPECT_TRUE(Ledger::open(folder / "l").isCommitted());
    EXPECT_EQ(left[0].onCommit, OnCommit::Finish);
    EXPECT_EQ(left[1].onCommit, OnCommit::Keep);
    EXPECT_EQ(left[1].onFailure, OnFailure::Keep);
    EXPECT_EQ(left[2].onCommit, OnCommit::Undo);
}

TEST(Ledger, ofAnEarlierVersionGivesEverythingBack) {
    const TemporaryFolder folder;
    Ledger::create(folder / "l", someHeader());
    std::ofstream(folder / "l", std::ios::app)
        << R"({"op":"acquire","number":1,"kind":"snapshot","what":{},"keep":true})"
        << "\n";
    EXPECT_EQ(Ledger::open(folder / "l").outstanding().at(0).onCommit, OnCommit::Undo);
}

TEST(Ledger, numbersGoOnAfterReopening) {
    const TemporaryFolder folder;
    auto first = Ledger::create(folder / "l", someHeader()).acquire("a", {});
    auto again = Ledger::open(folder / "l");
    const auto second = again.acquire("b", {});
    EXPECT_NE(first, second);
    again.released(first);
    EXPECT_EQ(Ledger::open(folder / "l").outstanding().at(0).kind, "b");
}

TEST(Ledger, lineThatACrashCutShortWasNeverActedUpon) {
    const TemporaryFolder folder;
    Ledger::create(folder / "l", someHeader()).acquire("snapshot", {{"name", "a"}});
    const auto whole = readFile(folder / "l", 1 << 20);
    const auto lastLine = whole.rfind('\n', whole.size() - 2) + 1;
    for (std::size_t cut = lastLine; cut < whole.size() - 1; ++cut) {
        std::ofstream(folder / "l", std::ios::trunc) << whole.substr(0, cut);
        auto ledger = Ledger::open(folder / "l");
        EXPECT_TRUE(ledger.outstanding().empty()) << "cut at " << cut;
        ledger.acquire("scratch", {{"path", "/x"}});
        const auto again = Ledger::open(folder / "l");
        ASSERT_EQ(again.outstanding().size(), 1U) << "cut at " << cut;
        EXPECT_EQ(again.outstanding()[0].kind, "scratch");
    }
}

TEST(Ledger, brokenInTheMiddleNeedsAPerson) {
    const TemporaryFolder folder;
    Ledger::create(folder / "l", someHeader()).acquire("a", {});
    const auto whole = readFile(folder / "l", 1 << 20);
    std::ofstream(folder / "l", std::ios::trunc) << whole << "garbage\n{\"op\":\"verdict\",\"error\":\"x\"}\n";
    EXPECT_THROW(Ledger::open(folder / "l"), Error);
    std::ofstream(folder / "l", std::ios::trunc) << "";
    EXPECT_THROW(Ledger::open(folder / "l"), Error);
}

TEST(Ledger, isNotStartedTwice) {
    const TemporaryFolder folder;
    auto ledger = Ledger::create(folder / "l", someHeader());
    EXPECT_THROW(Ledger::create(folder / "l", someHeader()), std::system_error);
}

TEST(Ledger, closesOnlyWhenNothingIsLeft) {
    const TemporaryFolder folder;
    auto ledger = Ledger::create(folder / "l", someHeader());
    const auto number = ledger.acquire("snapshot", {});
    EXPECT_THROW(ledger.close(), std::logic_error);
    ledger.kept(number, "left on purpose");
    ASSERT_EQ(ledger.keptReasons().size(), 1U);
    ledger.close();
    EXPECT_FALSE(std::filesystem::exists(folder / "l"));
}

TEST(Ledger, keepsTheLastVerdict) {
    const TemporaryFolder folder;
    auto ledger = Ledger::create(folder / "l", someHeader());
    ledger.verdict("first");
    ledger.verdict("second \"quoted\"\nline");
    EXPECT_EQ(Ledger::open(folder / "l").lastVerdict(), "second \"quoted\"\nline");
}

} // namespace
} // namespace holdfast
