#include "source/disarm.hpp"

#include "util/error.hpp"
#include "util/file.hpp"

#include "../temporary_folder.hpp"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

TEST(HarmlessConfig, KeepsWhatGitNeedsAsItIs) {
    const std::string text = "# a comment\n[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
                             "\tlogallrefupdates = true\n[user]\n\tname = gitbot\n\temail = gitbot@x\n"
                             "[remote \"origin\"]\n\turl = https://example.org/x\n\tfetch = +refs/heads/*:refs/x/*\n"
                             "[branch \"master\"]\n\tremote = origin\n\tmerge = refs/heads/master\n";
    const auto harmless = harmlessConfig(text);
    EXPECT_EQ(harmless.text, text);
    EXPECT_TRUE(harmless.leftOut.empty());
}

TEST(HarmlessConfig, LeavesOutWhateverRunsAProgramOrLeadsElsewhere) {
    for (const char* text :
         {"[core]\nfsmonitor = /evil\n", "[core]\n\thooksPath=/evil\n", "[CORE]\nSshCommand = evil\n",
          "[core]\nworktree = /etc\n", "[core] fsmonitor = evil\n", "[core] fsmonitor = \"x]\n",
          "[core]fsmonitor=evil # ]\n", "[filter \"x\"]\nclean = evil\n", "[filter \"x]\"]\nsmudge = evil\n",
          "[include]\npath = evil\n", "[includeIf \"gitdir:/\"]\npath = evil\n", "[alias]\nst = !evil\n",
          "[diff \"x\"]\ntextconv = evil\n", "[remote \"o\"]\nurl = ext::sh -c evil\n",
          "[remote \"o\"]\nuploadpack = evil\n", "[gc]\nrecentObjectsHook = evil\n",
          "[core]\nfilemode = true \\\n\nfsmonitor = evil\n", "fsmonitor = evil\n"}) {
        const auto harmless = harmlessConfig(text);
        EXPECT_FALSE(harmless.leftOut.empty()) << text;
        EXPECT_EQ(harmless.text.find("evil"), std::string::npos) << text;
        EXPECT_EQ(harmless.text.find("/etc"), std::string::npos) << text;
    }
}

class Disarm : public ::testing::Test {
  protected:
    Disarm() {
        for (const char* name : {"objects", "refs", "hooks"}) fs::create_directories(git() / name);
        put(".git/HEAD", "ref: refs/heads/master\n");
        put(".git/config", "[core]\n\tbare = false\n");
    }
    fs::path git() { return folder_ / ".git"; }
    void put(const std::string& path, const char* content, bool executable = false) {
        fs::create_directories((folder_ / path).parent_path());
        std::ofstream(folder_ / path) << content;
        if (executable) fs::permissions(folder_ / path, fs::perms(0755));
    }
    std::string content(const std::string& path) { return readFileIfThere(folder_ / path, 1000).value_or(""); }
    bool isExecutable(const std::string& path) {
        return (fs::status(folder_ / path).permissions() & fs::perms(0111)) != fs::perms::none;
    }
    std::vector<std::string> disarm() { return disarmRepositories(hold(fs::canonical(folder_.path()), Owners::Any)); }

    TemporaryFolder folder_;
};

TEST_F(Disarm, LeavesAnOrdinaryRepositoryAlone) {
    put(".git/hooks/post-checkout.sample", "#!/bin/sh\n", true);
    EXPECT_TRUE(disarm().empty());
    EXPECT_TRUE(isExecutable(".git/hooks/post-checkout.sample"));
    EXPECT_FALSE(fs::exists(folder_ / ".git/config.restored"));
}

TEST_F(Disarm, TakesTheirPermissionFromHooks) {
    put(".git/hooks/post-checkout", "#!/bin/sh\n", true);
    EXPECT_EQ(disarm(), std::vector<std::string>{".git/hooks/post-checkout"});
    EXPECT_FALSE(isExecutable(".git/hooks/post-checkout"));
    EXPECT_EQ(content(".git/hooks/post-checkout"), "#!/bin/sh\n");
}

TEST_F(Disarm, KeepsADangerousConfigurationBeside) {
    put(".git/config", "[core]\n\tbare = false\n\tfsmonitor = /evil\n");
    EXPECT_EQ(disarm(), std::vector<std::string>{".git/config: core.fsmonitor"});
    EXPECT_EQ(content(".git/config"), "[core]\n\tbare = false\n");
    EXPECT_NE(content(".git/config.restored").find("fsmonitor"), std::string::npos);
}

TEST_F(Disarm, LooksIntoSubmodulesAndBareRepositories) {
    put(".git/modules/a/b/HEAD", "ref: x\n");
    fs::create_directories(git() / "modules/a/b/objects");
    fs::create_directories(git() / "modules/a/b/refs");
    put(".git/modules/a/b/hooks/post-checkout", "#!/bin/sh\n", true);
    put("HEAD", "ref: x\n");
    put("config", "[core]\n\tfsmonitor = /evil\n");
    fs::create_directories(folder_ / "objects");
    fs::create_directories(folder_ / "refs");
    EXPECT_EQ(disarm().size(), 2U);
    EXPECT_FALSE(isExecutable(".git/modules/a/b/hooks/post-checkout"));
    EXPECT_EQ(content("config").find("evil"), std::string::npos);
}

TEST_F(Disarm, FollowsNoSymlink) {
    fs::remove_all(git() / "hooks");
    put("evil/post-checkout", "#!/bin/sh\n", true);
    fs::create_directory_symlink("../evil", git() / "hooks");
    put(".git/commondir", "../evil\n");
    EXPECT_EQ(disarm().size(), 2U);
    EXPECT_FALSE(fs::exists(fs::symlink_status(git() / "hooks")));
    EXPECT_FALSE(fs::exists(git() / "commondir"));
    EXPECT_TRUE(isExecutable("evil/post-checkout"));
}

TEST_F(Disarm, RefusesAFileInPlaceOfTheRepository) {
    fs::remove_all(git());
    put(".git", "gitdir: evil\n");
    EXPECT_THROW(disarm(), Error);
}

TEST_F(Disarm, LeavesAFolderOfTheWorkTreeAloneThatIsCalledConfig) {
    put("config/go", "x");
    put("HEAD", "not git's");
    EXPECT_TRUE(disarm().empty());
    EXPECT_EQ(content("config/go"), "x");
}

} // namespace
} // namespace holdfast
