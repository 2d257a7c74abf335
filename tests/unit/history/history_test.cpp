#include "history/history.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <algorithm>
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

    History open() {
        return History(file_, [this](const std::filesystem::path& where) { aside_.push_back(where); });
    }
    /// Everything from the database's second page on.
    void damage() const {
        SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("PRAGMA wal_checkpoint(TRUNCATE)");
        const auto size = std::filesystem::file_size(file_);
        std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(4096);
        file << std::string(size - 4096, '\x5a');
    }
    /// Rows of a job, a microsecond apart.
    void fill(const std::string& job, int number, int from = 0) const {
        SQLite::Database database(file_.string(), SQLite::OPEN_READWRITE);
        SQLite::Statement insert(database,
                                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                                 "INSERT INTO run SELECT lower(hex(randomblob(16))), ?, 'done', ? + i, "
                                 "(SELECT entry FROM run LIMIT 1) FROM n");
        insert.bind(1, number);
        insert.bind(2, job);
        insert.bind(3, from);
        insert.exec();
    }

    std::vector<std::filesystem::path> aside_;
    std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("holdfast-history-" + newId());
    std::filesystem::path file_ = folder_ / "history.db";
};

std::vector<std::string> ids(const std::vector<HistoryEntry>& entries) {
    std::vector<std::string> result;
    for (const auto& e : entries) result.push_back(e.id);
    return result;
}

} // namespace

TEST_F(HistoryTest, TellsWhichBackupsWereReadBack) {
    auto history = open();
    const auto record = [&](const std::string& job, const std::string& kind, const nlohmann::json& metadata) {
        auto e = entry(job, 1);
        e.kind = kind;
        e.result.last.metadata = metadata;
        history.record(e);
    };
    record("nightly", "verify", {{"proves", "aa"}});
    record("nightly", "drill", {{"proves", "bb"}});
    record("nightly", "verify", {{"proves", "aa"}});
    record("nightly", "verify", {{"proves", ""}});
    record("nightly", "verify", {{"backupsVerified", 1}});
    record("other", "verify", {{"proves", "dd"}});
    history.prune({.since = 0, .maxRuns = 1}, 100);
    auto proven = history.provenRuns("nightly");
    std::sort(proven.begin(), proven.end());
    EXPECT_EQ(proven, (std::vector<std::string>{"aa", "bb"}));
}

TEST_F(HistoryTest, FindsRunsByTheBeginningOfTheirIds) {
    auto history = open();
    std::vector<HistoryEntry> entries{entry("a", 1), entry("b", 2), entry("c", 3)};
    entries[0].id = std::string(32, 'f');
    entries[1].id = std::string(8, 'f') + std::string(24, '0');
    entries[2].id = std::string(7, 'f') + std::string(25, '0');
    for (auto& e : entries) {
        e.result.id = e.id;
        history.record(e);
    }
    EXPECT_EQ(history.withIdPart(std::string(8, 'f')).size(), 2U);
    EXPECT_EQ(history.withIdPart(std::string(7, 'f')).size(), 3U);
    EXPECT_TRUE(history.withIdPart("ab").empty());
}

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
    History history = open();
    ASSERT_EQ(aside_.size(), 1U);
    EXPECT_TRUE(aside_[0].filename().string().starts_with("history.db.broken-"));
    EXPECT_EQ(readFile(aside_[0], 10'000), std::string(8192, 'x'));
    const auto e = entry("nightly", 1);
    history.record(e);
    EXPECT_TRUE(history.find(e.id));
}

TEST_F(HistoryTest, SetsADamagedDatabaseAside) {
    History(file_).record(entry("nightly", 1));
    fill("nightly", 200);
    damage();
    const History history = open();
    EXPECT_EQ(aside_.size(), 1U);
    EXPECT_TRUE(history.list({}, 10, 0).empty());
}

TEST_F(HistoryTest, DamageThatShowsInAQuerySetsItAside) {
    History history = open();
    history.record(entry("nightly", 1));
    fill("nightly", 20'000); // more than what is cached
    damage();
    EXPECT_TRUE(history.list({}, 1000, 10'000).empty());
    ASSERT_EQ(aside_.size(), 1U);
    EXPECT_GT(std::filesystem::file_size(aside_[0]), 1'000'000U);
    const auto e = entry("nightly", 5);
    history.record(e);
    EXPECT_EQ(ids(history.list({}, 10, 0)), std::vector<std::string>{e.id});
}

TEST_F(HistoryTest, DamageThatShowsWhenSomethingIsRecordedLosesNoResult) {
    History history = open();
    history.record(entry("nightly", 1));
    fill("nightly", 20'000);
    damage();
    std::vector<HistoryEntry> entries;
    for (USec i = 0; i < 20; ++i) {
        entries.push_back(entry("nightly", i * 1000));
        history.record(entries.back());
    }
    ASSERT_EQ(aside_.size(), 1U);
    EXPECT_TRUE(history.find(entries.back().id));
}

TEST_F(HistoryTest, ADamagedRowSpoilsNoOther) {
    History history = open();
    const auto good = entry("nightly", 1);
    const auto bad = entry("nightly", 2, "failed");
    history.record(good);
    history.record(bad);
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE run SET entry = '{\"kind' WHERE id = '" + bad.id + "'");
    const auto found = history.list({}, 10, 0);
    ASSERT_EQ(ids(found), (std::vector<std::string>{bad.id, good.id}));
    EXPECT_EQ(found[0].result.result, "failed");
    EXPECT_EQ(found[0].result.last.state, "failed");
    EXPECT_TRUE(found[0].result.last.error.starts_with("What the history knows of this run cannot be read"));
    EXPECT_TRUE(aside_.empty());
}

TEST_F(HistoryTest, TwoBrokenOnesAreBothKept) {
    for (int i = 0; i < 2; ++i) {
        replaceFile(file_, std::string(8192, static_cast<char>('a' + i)), Durability::Volatile);
        const History history = open();
        ASSERT_EQ(aside_.size(), static_cast<std::size_t>(i) + 1);
        EXPECT_EQ(readFile(aside_.back(), 10'000)[0], 'a' + i);
    }
}

TEST_F(HistoryTest, PrunesByAgeInBatchesAndKeepsTheLastOfAJob) {
    History history = open();
    const auto old = entry("rare", 5);
    history.record(old);
    fill("often", 1000);
    const Retention retention{.since = 901, .maxRuns = 0};
    EXPECT_EQ(history.prune(retention, 400), 400U);
    EXPECT_EQ(history.list({}, 1000, 0).back().id, old.id) << "the job's last run stays, however old";
    EXPECT_EQ(history.prune(retention, 400), 400U);
    EXPECT_EQ(history.prune(retention, 400), 100U);
    EXPECT_EQ(history.prune(retention, 400), 0U);
    const auto left = history.list({}, 1000, 0);
    ASSERT_EQ(left.size(), 101U);
    EXPECT_EQ(left[99].queuedAt, 901U);
}

TEST_F(HistoryTest, PrunesByNumberTheOldestFirst) {
    History history = open();
    history.record(entry("rare", 1));
    fill("often", 500, 10);
    const Retention retention{.since = 0, .maxRuns = 100};
    while (history.prune(retention, 150) == 150) continue;
    auto left = history.list({}, 1000, 0);
    ASSERT_EQ(left.size(), 100U);
    EXPECT_EQ(left[99].job, "rare");
    EXPECT_EQ(left[98].queuedAt, 412U);

    history.record(entry("often", 2000));
    EXPECT_EQ(history.prune(retention, 150), 1U);
    left = history.list({}, 1000, 0);
    EXPECT_EQ(left.size(), 100U);
    EXPECT_EQ(left[98].queuedAt, 413U);
    EXPECT_EQ(history.prune({}, 150), 0U);
}

TEST_F(HistoryTest, AnOlderDatabaseIsBroughtUpToDate) {
    History(file_).record(entry("nightly", 1));
    {
        SQLite::Database database(file_.string(), SQLite::OPEN_READWRITE);
        database.exec("DROP INDEX run_job_result; DROP TABLE milestone; DROP TABLE proof; PRAGMA user_version = 1");
    }
    EXPECT_EQ(open().list({}, 10, 0).size(), 1U);
    SQLite::Database database(file_.string(), SQLite::OPEN_READONLY);
    EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 4);
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM sqlite_master WHERE name = 'run_job_result'").getInt(), 1);
}

TEST_F(HistoryTest, RemembersTheLastProofOfEachPlace) {
    const std::string place = "b2:backups/nightly";
    auto history = open();
    EXPECT_FALSE(history.lastProof("nightly", place));
    auto drill = entry("nightly", 10);
    drill.kind = "drill";
    drill.result.last.metadata = {{"proves", newId()}, {"provesNewest", true}};
    history.record(drill);
    auto failed = entry("nightly", 20, "failed");
    failed.kind = "drill";
    failed.result.last.metadata = drill.result.last.metadata;
    history.record(failed);
    history.record(entry("nightly", 30)); // a backup proves nothing

    EXPECT_EQ(history.lastProof("nightly", place)->run, drill.id);
    EXPECT_EQ(history.lastProof("nightly", place)->finishedAt, 12U);
    EXPECT_EQ(history.lastDrill("nightly", place)->run, failed.id);
    EXPECT_EQ(history.lastDrill("nightly", place)->result, "failed");
    EXPECT_FALSE(history.lastProof("nightly", "b2:elsewhere"));
    EXPECT_FALSE(history.lastProof("another", place));

    history.record(drill); // recorded anew by a daemon that was killed: it is not the last one for that
    EXPECT_EQ(history.lastDrill("nightly", place)->run, failed.id);
    history.prune({.since = 25, .maxRuns = 0}, 100);
    EXPECT_FALSE(history.find(drill.id));
    EXPECT_EQ(open().lastProof("nightly", place)->run, drill.id);
}

TEST_F(HistoryTest, AVerificationProvesWhatItSays) {
    auto verification = entry("nightly", 10);
    verification.kind = "verify";
    EXPECT_FALSE(provesNewest(verification));
    verification.result.last.metadata["provesNewest"] = true;
    EXPECT_TRUE(provesNewest(verification));
    verification.result.result = "cancelled";
    EXPECT_FALSE(provesNewest(verification));
}

TEST_F(HistoryTest, KnowsTheLastSuccess) {
    auto history = open();
    EXPECT_FALSE(history.lastSuccessOfJob("nightly"));
    history.record(entry("nightly", 10));
    history.record(entry("nightly", 20, "failed"));
    auto restore = entry("nightly", 30);
    restore.kind = "restore";
    history.record(restore);
    EXPECT_EQ(history.lastSuccessOfJob("nightly")->queuedAt, 10U);
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
