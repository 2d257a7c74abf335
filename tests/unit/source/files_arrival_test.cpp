#include "source/files_arrival.hpp"

#include "source/kinds.hpp"
#include "source/staging.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include "../temporary_folder.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

const std::string runId = "0123456789abcdef0123456789abcdef";

class FilesArrival : public ::testing::Test {
  protected:
    FilesArrival() {
        put("fresh/a", "new");
        put("fresh/sub/b", "new");
        put("fresh/only/here", "new");
        put("there/a", "old");
        put("there/sub/other", "old");
        put("there/sub/b", "old");
    }
    void put(const char* path, const char* content) {
        fs::create_directories((folder_ / path).parent_path());
        std::ofstream(folder_ / path) << content;
    }
    std::string content(const char* path) { return readFileIfThere(folder_ / path, 10).value_or(""); }
    HeldPath fresh() { return hold(fs::canonical(folder_ / "fresh"), Owners::Any); }
    HeldPath there() { return hold(fs::canonical(folder_ / "there"), Owners::Any); }
    Ledger ledger() { return Ledger::create(folder_.path() / "ledger", {}); }
    std::vector<std::string> arrive(Ledger& book) {
        return moveFiles(movesInto(fresh(), there()), fresh(), there(), runId, book);
    }
    void expectOld() {
        EXPECT_EQ(content("there/a"), "old");
        EXPECT_EQ(content("there/sub/b"), "old");
        EXPECT_FALSE(fs::exists(folder_ / "there/only"));
        EXPECT_FALSE(fs::exists(folder_ / "there/a.before-01234567"));
        for (const char* path : {"fresh/a", "fresh/sub/b", "fresh/only/here"}) EXPECT_EQ(content(path), "new") << path;
    }

    TemporaryFolder folder_;
};

TEST_F(FilesArrival, TouchesNothingElseAndKeepsWhatItReplaces) {
    auto book = ledger();
    const auto kept = arrive(book);
    for (const char* path : {"there/a", "there/sub/b", "there/only/here"}) EXPECT_EQ(content(path), "new") << path;
    for (const char* path : {"there/a.before-01234567", "there/sub/b.before-01234567", "there/sub/other"}) {
        EXPECT_EQ(content(path), "old") << path;
    }
    EXPECT_EQ(kept.size(), 2U);
    ASSERT_EQ(book.outstanding().size(), 1U);
    EXPECT_EQ(book.outstanding()[0].kind, kinds::filesArrival);
    EXPECT_TRUE(filesArrived(book.outstanding()[0].what));
}

TEST_F(FilesArrival, IsUndone) {
    auto book = ledger();
    arrive(book);
    const auto entry = book.outstanding()[0].what;
    undoFilesArrival(entry);
    expectOld();
    EXPECT_FALSE(filesArrived(entry));
    undoFilesArrival(entry); // again: nothing to do
    expectOld();
}

TEST_F(FilesArrival, IsUndoneFromTheMiddle) {
    auto book = ledger();
    arrive(book);
    const auto entry = book.outstanding()[0].what;
    undoFilesArrival(entry);
    fs::rename(folder_ / "fresh/a", folder_ / "there/a.before-01234567"); // set beside, not exchanged yet
    EXPECT_FALSE(filesArrived(entry));
    undoFilesArrival(entry);
    expectOld();
    fs::rename(folder_ / "there/a", folder_ / "there/a.before-01234567"); // where names cannot be exchanged
    undoFilesArrival(entry);
    expectOld();
}

TEST_F(FilesArrival, LeavesAllAsItWasWhereOneCannotCome) {
    put("there/sub/b.before-01234567", "somebody's");
    auto book = ledger();
    EXPECT_THROW(arrive(book), std::system_error);
    undoFilesArrival(book.outstanding()[0].what);
    EXPECT_EQ(content("there/a"), "old");
    EXPECT_EQ(content("there/sub/b"), "old");
    EXPECT_EQ(content("there/sub/b.before-01234567"), "somebody's");
}

TEST_F(FilesArrival, PutsNothingThroughASymlink) {
    put("outside/b", "outside");
    fs::remove_all(folder_ / "there/sub");
    fs::create_directory_symlink(folder_ / "outside", folder_ / "there/sub");
    auto book = ledger();
    arrive(book);
    EXPECT_EQ(content("outside/b"), "outside");
    EXPECT_EQ(content("there/sub/b"), "new");
    EXPECT_TRUE(fs::is_symlink(folder_ / "there/sub.before-01234567"));
}

TEST(Staging, TakesNoFolderThatSomebodyElseHasMade) {
    const TemporaryFolder folder;
    const auto parent = hold(fs::canonical(folder.path()), Owners::Any);
    fs::create_directory(folder / "x");
    EXPECT_THROW(makeStaging(parent, "x"), Error);
    fs::create_directory_symlink("/tmp", folder / "y");
    EXPECT_THROW(makeStaging(parent, "y"), Error);
    const auto made = makeStaging(parent, "z");
    EXPECT_EQ(made.status().st_mode & 07777, 0700U);
    EXPECT_TRUE(leadsTo(folder / "z", made));
    fs::rename(folder / "z", folder / "elsewhere");
    EXPECT_FALSE(leadsTo(folder / "z", made));
}

} // namespace
} // namespace holdfast
