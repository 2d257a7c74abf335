#include "util/file.hpp"

#include "../temporary_folder.hpp"
#include "util/error.hpp"
#include "util/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace holdfast {
namespace {

TEST(File, isReplacedWholeAndPrivate) {
    const TemporaryFolder folder;
    const auto file = folder / "a.json";
    replaceFile(file, "one", Durability::Durable);
    replaceFile(file, "two", Durability::Volatile);
    EXPECT_EQ(readFile(file, 100), "two");
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "a temporary file was left";
}

TEST(File, staysAsItWasIfItCannotBeReplaced) {
    const TemporaryFolder folder;
    const auto file = folder / "taken";
    std::filesystem::create_directory(file);
    EXPECT_THROW(replaceFile(file, "x", Durability::Durable), std::system_error);
    EXPECT_TRUE(std::filesystem::is_directory(file));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "a temporary file was left";
}

TEST(File, hasALimit) {
    const TemporaryFolder folder;
    const auto file = folder / "big";
    replaceFile(file, std::string(101, 'x'), Durability::Volatile);
    EXPECT_THROW(readFile(file, 100), Error);
    EXPECT_EQ(readFile(file, 101).size(), 101U);
}

TEST(File, thatIsNotRegularIsRefusedWithoutWaiting) {
    const TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    EXPECT_THROW(readFile(folder / "fifo", 100), Error);
    EXPECT_THROW(readFile(folder.path(), 100), std::exception);
}

TEST(File, thatIsNotThere) {
    const TemporaryFolder folder;
    EXPECT_FALSE(readFileIfThere(folder / "none", 100));
    EXPECT_THROW(readFile(folder / "none", 100), std::system_error);
    EXPECT_NO_THROW(removeFile(folder / "none"));
}

} // namespace
} // namespace holdfast
