#include "util/held_path.hpp"

#include "../run_coroutine.hpp"
#include "../temporary_folder.hpp"
#include "util/child.hpp"

#include <array>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace holdfast {

namespace {

namespace fs = std::filesystem;

constexpr uid_t somebody = 4711;

/// Owners and symlinks of others can be made by root only, and that is whom the code runs as.
class HeldPathTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(::geteuid(), 0U) << "these tests must run as root";
        fs::permissions(folder_.path(), fs::perms(0755));
        fs::create_directories(folder_ / "data/inner");
        std::ofstream(folder_ / "data/file") << "content";
    }

    void give(const std::string& name) const { ASSERT_EQ(::lchown((folder_ / name).c_str(), somebody, somebody), 0); }

    [[nodiscard]] static std::string contentOf(const HeldPath& held) {
        const auto file = held.open(O_RDONLY);
        std::array<char, 64> buffer{};
        const auto got = ::read(file.get(), buffer.data(), buffer.size());
        return {buffer.data(), static_cast<std::size_t>(got)};
    }

    /// What hold() throws, of this type.
    template<typename Failure = Error>
    static std::string refusalOf(const fs::path& path, Owners owners) {
        try {
            static_cast<void>(hold(path, owners));
        } catch (const Failure& e) {
            return e.what();
        }
        return "nothing was refused";
    }

    static void expectIn(const std::string& words, const std::string& sentence) {
        EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
    }

    TemporaryFolder folder_;
};

TEST_F(HeldPathTest, plainPathOfAnyOwnerIsHeld) {
    give("data");
    const auto held = hold(folder_ / "data/file", Owners::Any);
    EXPECT_EQ(held.real(), folder_ / "data/file");
    EXPECT_EQ(contentOf(held), "content");
}

TEST_F(HeldPathTest, symlinkOfRootIsFollowedAndDotsAndSlashesMeanNothing) {
    fs::create_directory_symlink("data/../data", folder_ / "link");
    const auto held = hold(folder_ / "./link//inner/../file", Owners::Root);
    EXPECT_EQ(held.real(), folder_ / "data/file");
}

TEST_F(HeldPathTest, symlinkOfSomebodyElseIsRefused) {
    fs::create_directory_symlink(folder_ / "data", folder_ / "link");
    give("link");
    expectIn((folder_ / "link").string() + " is a symlink that others",
             refusalOf<Error>(folder_ / "link/file", Owners::Any));
}

TEST_F(HeldPathTest, symlinkOfRootInAFolderOfSomebodyElseIsRefused) {
    fs::create_directory_symlink("inner", folder_ / "data/link");
    give("data");
    EXPECT_THROW(static_cast<void>(hold(folder_ / "data/link", Owners::Any)), Error);
}

TEST_F(HeldPathTest, symlinkOfRootInAStickyFolderIsFollowed) {
    fs::create_directory_symlink("inner", folder_ / "data/link");
    ASSERT_EQ(::chmod((folder_ / "data").c_str(), 01777), 0);
    EXPECT_EQ(hold(folder_ / "data/link", Owners::Any).real(), folder_ / "data/inner");
    ASSERT_EQ(::chmod((folder_ / "data").c_str(), 0777), 0);
    EXPECT_THROW(static_cast<void>(hold(folder_ / "data/link", Owners::Any)), Error);
}

TEST_F(HeldPathTest, whatMustBeRootsIsRefusedWhereItIsNot) {
    give("data");
    expectIn("belongs to user 4711", refusalOf<Error>(folder_ / "data/file", Owners::Root));
    ASSERT_EQ(::lchown((folder_ / "data").c_str(), 0, 0), 0);
    fs::permissions(folder_ / "data/file", fs::perms(0666));
    expectIn("chmod go-w", refusalOf<Error>(folder_ / "data/file", Owners::Root));
}

TEST_F(HeldPathTest, circleOfSymlinksEnds) {
    fs::create_symlink("b", folder_ / "a");
    fs::create_symlink("a", folder_ / "b");
    expectIn("in a circle", refusalOf<Error>(folder_ / "a", Owners::Any));
}

TEST_F(HeldPathTest, whatIsNotThereIsSaid) {
    expectIn((folder_ / "data/nothing").string() + " is not there",
             refusalOf<NoSuchPath>(folder_ / "data/nothing/more", Owners::Any));
    EXPECT_THROW(static_cast<void>(hold("data", Owners::Any)), Error);
}

TEST_F(HeldPathTest, exchangeUnderOurFeetChangesNothing) {
    const auto held = hold(folder_ / "data", Owners::Any);
    fs::rename(folder_ / "data", folder_ / "away");
    fs::create_directory_symlink("/etc", folder_ / "data");
    const auto file = held.below("file");
    ASSERT_TRUE(file);
    EXPECT_EQ(contentOf(*file), "content");
    EXPECT_FALSE(held.below("passwd"));
}

TEST_F(HeldPathTest, symlinkBelowIsRefused) {
    fs::create_symlink("file", folder_ / "data/link");
    EXPECT_THROW(static_cast<void>(hold(folder_ / "data", Owners::Any).below("link")), Error);
}

TEST_F(HeldPathTest, childReadsWhatIsHeldWhateverTheNameSays) {
    const auto held = hold(folder_ / "data", Owners::Any);
    fs::rename(folder_ / "data", folder_ / "away");
    const ChildSpec spec{.argv = {"cat", "--", held.forChild() + "/file"}, .keep = {held.fd()}};
    const auto output = runCoroutine(runChild(spec, std::chrono::seconds(10)));
    EXPECT_TRUE(output.status.ok()) << output.errorTail;
    EXPECT_EQ(output.out, "content");
}

} // namespace

} // namespace holdfast
