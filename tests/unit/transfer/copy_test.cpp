#include "transfer/copy.hpp"

#include "../run_coroutine.hpp"
#include "../temporary_folder.hpp"
#include "transfer/file_list.hpp"
#include "util/file.hpp"

#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

/// Real rclone, an alias remote on a folder.
class Copying : public testing::Test {
  protected:
    Copying() {
        std::signal(SIGPIPE, SIG_IGN); // as main() does
        std::filesystem::create_directories(folder_ / "source/deep");
        std::filesystem::create_directory(folder_ / "store");
        std::ofstream(folder_ / "rclone.conf")
            << fmt::format("[store]\ntype = alias\nremote = {}\n", (folder_ / "store").string());
        std::ofstream(folder_ / "source/one") << "1";
        std::ofstream(folder_ / "source/deep/two") << "22";
    }

    Copied copy(nlohmann::json options = nlohmann::json::object()) {
        CopySpec spec{.from = folder_ / "source",
                      .to = "store:copy",
                      .options = copyFlags(options),
                      .stallTimeout = 30 * usecPerSec,
                      .killDelay = 2 * usecPerSec};
        const TellCounts tell = [this](const CopyCounts& counts) { counts_ = counts; };
        progress_.begin(0, true, Progress::Clock::now());
        return runCoroutine(copyFiles(rclone_, std::move(spec), progress_, limiter_, tell));
    }

    FileList list(const std::string& hash = "") {
        return runCoroutine(listFiles(rclone_, {"store:copy", {}, hash}, std::chrono::minutes(1)));
    }

    TemporaryFolder folder_;
    Rclone rclone_{folder_ / "rclone.conf"};
    Progress progress_{Progress::Clock::now()};
    RateLimiter limiter_;
    CopyCounts counts_;
};

TEST_F(Copying, bringsEveryFileAndCountsTheBytes) {
    EXPECT_TRUE(copy().notices.empty());
    EXPECT_EQ(progress_.done(), 3U);
    EXPECT_EQ(progress_.total(), 3U);
    EXPECT_FALSE(progress_.estimated());
    const auto files = list("md5");
    ASSERT_EQ(files.size(), 2U);
    EXPECT_EQ(files.at("deep/two").size, 2U);
    EXPECT_EQ(files.at("one").hash, "c4ca4238a0b923820dcc509a6f75849b");
    EXPECT_EQ(totalSize(files), 3U);
}

TEST_F(Copying, saysWhatItLeftOut) {
    std::filesystem::create_symlink("one", folder_ / "source/link");
    const auto notices = copy().notices;
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_NE(notices[0].find("link: Can't follow symlink"), std::string::npos) << notices[0];
}

TEST_F(Copying, copiesOnceOnly) {
    copy();
    copy();
    EXPECT_EQ(progress_.done(), 0U);
}

TEST_F(Copying, followsTheRate) {
    limiter_.setRate(1024 * 1024);
    std::ofstream(folder_ / "source/large") << std::string(2 * 1024 * 1024, 'x');
    const auto began = Progress::Clock::now();
    copy();
    EXPECT_GT(Progress::Clock::now() - began, std::chrono::milliseconds(900));
    EXPECT_EQ(counts_.filesTotal, 3U);
}

TEST_F(Copying, failsForGoodWhereNothingCanBeWritten) {
    std::ofstream(folder_ / "store/copy") << "a file where the folder should be";
    EXPECT_THROW(copy(), TransferError);
}

TEST_F(Copying, leavesOutWhatTheJobFilters) {
    copy({{"exclude", {"/deep/**"}}, {"transfers", 2}, {"checksum", true}});
    EXPECT_EQ(list().size(), 1U);
}

TEST(CopyFlags, areSpelledForRclone) {
    const nlohmann::json options{{"exclude", {"*.tmp", "-x"}}, {"transfers", 8}, {"links", true}, {"min-size", "1k"}};
    using Flags = std::vector<std::string>;
    EXPECT_EQ(copyFlags(options),
              (Flags{"--exclude=*.tmp", "--exclude=-x", "--links=true", "--min-size=1k", "--transfers=8"}));
    EXPECT_EQ(listFlags(options), (Flags{"--exclude=*.tmp", "--exclude=-x", "--links=true", "--min-size=1k"}));
    EXPECT_EQ(linkFlags(options), (Flags{"--links=true"}));
}

TEST(FileLists, comeBackAsTheyWereWritten) {
    const FileList files{{"a \"b\"\n", {3, "aa"}}, {"c", {0, ""}}};
    const auto read = parseFileList(serialize(files));
    ASSERT_EQ(read.size(), 2U);
    EXPECT_EQ(read.at("a \"b\"\n").size, 3U);
    EXPECT_EQ(read.at("a \"b\"\n").hash, "aa");
    EXPECT_THROW(parseFileList("{\"path\":\"x\"}\n"), Error);
    EXPECT_THROW(parseFileList("not json"), Error);
}

TEST(FileLists, nameWhatDiffers) {
    const FileList wanted{
        {"gone", {1, ""}}, {"same", {1, "aa"}}, {"short", {9, ""}}, {"other", {1, "bb"}}, {"unhashed", {1, ""}}};
    const FileList found{
        {"same", {1, "aa"}}, {"short", {4, ""}}, {"other", {1, "cc"}}, {"unhashed", {1, "dd"}}, {"more", {1, ""}}};
    const auto wrong = differences(wanted, found);
    ASSERT_EQ(wrong.size(), 3U);
    EXPECT_EQ(wrong[0], "gone is missing.");
    EXPECT_EQ(wrong[1], "other has other content: its hash is cc, and should be bb.");
    EXPECT_EQ(wrong[2], "short has 4 bytes, and should have 9.");
}

} // namespace
} // namespace holdfast
