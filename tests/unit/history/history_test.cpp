#include "history/history.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <SQLiteCpp/SQLiteCpp.h>

using namespace holdfast;

namespace {

class HistoryTest : public testing::Test {
  protected:
    HistoryTest() { std::filesystem::create_directories(folder_); }
    ~HistoryTest() override { std::filesystem::remove_all(folder_); }

    static HistoryEntry entry(const std::string& job, USec queuedAt, const std::string& result = "done") {
        HistoryEntry e{.id = newId(),
                       .job = job,
                       .kind = "streaming",
                       .unit = "holdfast-run-x.service",
                       .startedByUid = 1000,
                       .maxAttempts = 3,
                       .queuedAt = queuedAt,
                       .outputPath = "b2:backups/" + job,
                       .result = {}};
        e.result.id = e.id;
        e.result.result = result;
        e.result.last.state = stateOfResult(result);
        e.result.last.phase = "done";
        e.result.last.bytesDone = 4711;
        e.result.last.metadata = {{"gitCommitHash", "abc"}};
        e.result.startedAt = queuedAt + 1;
        e.result.finishedAt = queuedAt + 2;
        e.result.kept = {"The snapshot stays."};
        return e;
    }

    std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("holdfast-history-" + newId());
    std::filesystem::path file_ = folder_ / "history.db";
};

std::vector<std::string> ids(const std::vector<HistoryEntry>& entries) {
    std::vector<std::string> result;
    for (const auto& e : entries) result.push_back(e.id);
    return result;
}

} // namespace

TEST_F(HistoryTest, KeepsEverythingAcrossRestarts) {
    const auto e = entry("nightly", 1000);
    History(file_).record(e);

    const History history(file_);
    const auto found = history.find(e.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->job, "nightly");
    EXPECT_EQ(found->kind, "streaming");
    EXPECT_EQ(found->unit, e.unit);
    EXPECT_EQ(found->startedByUid, 1000U);
    EXPECT_EQ(found->maxAttempts, 3U);
    EXPECT_EQ(found->queuedAt, 1000U);
    EXPECT_EQ(found->outputPath, "b2:backups/nightly");
    EXPECT_EQ(toJson(found->result), toJson(e.result));
    EXPECT_FALSE(history.setAside());
    EXPECT_FALSE(history.find(newId()));
}

TEST_F(HistoryTest, IsForRootAlone) {
    const History history(file_);
    struct stat info {};
    ASSERT_EQ(::stat(file_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(HistoryTest, RecordingAgainReplaces) {
    History history(file_);
    auto e = entry("nightly", 1000);
    history.record(e);
    e.result.result = "failed";
    history.record(e);
    EXPECT_EQ(history.list({}, 10, 0).size(), 1U);
    EXPECT_EQ(history.find(e.id)->result.result, "failed");
}

TEST_F(HistoryTest, ListsNewestFirstAndFilters) {
    History history(file_);
    const auto a = entry("a", 10), b = entry("b", 30, "failed"), c = entry("a", 20, "failed");
    for (const auto& e : {a, b, c}) history.record(e);

    using Ids = std::vector<std::string>;
    EXPECT_EQ(ids(history.list({}, 10, 0)), (Ids{b.id, c.id, a.id}));
    EXPECT_EQ(ids(history.list({}, 1, 1)), (Ids{c.id}));
    EXPECT_EQ(ids(history.list({}, 10, 3)), Ids{});
    HistoryFilter filter;
    filter.job = "a";
    EXPECT_EQ(ids(history.list(filter, 10, 0)), (Ids{c.id, a.id}));
    filter.result = "failed";
    EXPECT_EQ(ids(history.list(filter, 10, 0)), (Ids{c.id}));
    filter = {};
    filter.since = 20;
    EXPECT_EQ(ids(history.list(filter, 10, 0)), (Ids{b.id, c.id}));
    filter.until = 29;
    EXPECT_EQ(ids(history.list(filter, 10, 0)), (Ids{c.id}));
    filter = {};
    filter.until = UINT64_MAX;
    EXPECT_EQ(history.list(filter, 10, 0).size(), 3U);
    filter.job = "' OR 1=1 --";
    EXPECT_EQ(history.list(filter, 10, 0).size(), 0U);
    EXPECT_EQ(history.lastOfJob("a")->id, c.id);
    EXPECT_FALSE(history.lastOfJob("nobody"));
}

TEST_F(HistoryTest, APageIsBounded) {
    History history(file_);
    history.record(entry("seed", 0)); // makes the table
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE)
        .exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) "
              "INSERT INTO run SELECT printf('%032x', i), 'job', 'done', i, (SELECT entry FROM run LIMIT 1) FROM n");
    EXPECT_EQ(history.list({}, UINT32_MAX, 0).size(), 1000U);
    EXPECT_EQ(history.list({}, UINT32_MAX, 1000).size(), 101U);
}

TEST_F(HistoryTest, TakesTextThatIsNotUtf8) {
    History history(file_);
    auto e = entry("nightly", 1);
    e.result.last.error = "rclone said \xff\xfe";
    history.record(e);
    EXPECT_TRUE(history.find(e.id)->result.last.error.starts_with("rclone said "));
}

TEST_F(HistoryTest, SetsAFileAsideThatIsNoDatabase) {
    replaceFile(file_, std::string(8192, 'x'), Durability::Volatile);
    History history(file_);
    ASSERT_TRUE(history.setAside());
    EXPECT_TRUE(history.setAside()->filename().string().starts_with("history.db.corrupt-"));
    EXPECT_EQ(readFile(*history.setAside(), 10'000), std::string(8192, 'x'));
    const auto e = entry("nightly", 1);
    history.record(e);
    EXPECT_TRUE(history.find(e.id));
}

TEST_F(HistoryTest, SetsADamagedDatabaseAside) {
    {
        History history(file_);
        for (USec i = 0; i < 200; ++i) history.record(entry("nightly", i));
    }
    const auto size = std::filesystem::file_size(file_);
    ASSERT_GT(size, 20'000U);
    {
        std::fstream damage(file_, std::ios::in | std::ios::out | std::ios::binary);
        damage.seekp(4096);
        damage << std::string(size - 4096, '\x5a');
    }
    History history(file_);
    EXPECT_TRUE(history.setAside());
    EXPECT_TRUE(history.list({}, 10, 0).empty());
}

TEST_F(HistoryTest, TwoBrokenOnesAreBothKept) {
    for (int i = 0; i < 2; ++i) {
        replaceFile(file_, std::string(8192, static_cast<char>('a' + i)), Durability::Volatile);
        const History history(file_);
        ASSERT_TRUE(history.setAside());
        EXPECT_EQ(readFile(*history.setAside(), 10'000)[0], 'a' + i);
    }
}

TEST_F(HistoryTest, DoesNotTouchWhatANewerVersionWrote) {
    History(file_).record(entry("nightly", 1));
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
    EXPECT_THROW(History{file_}, Error);
    EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(HistoryTest, AFolderThatIsNotThereIsAnErrorAndNotCorruption) {
    EXPECT_THROW(History(folder_ / "nowhere" / "history.db"), std::system_error);
}
