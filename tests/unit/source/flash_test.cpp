#include "flash_fixture.hpp"

#include "source/background.hpp"
#include "source/git_lock.hpp"
#include "source/scratch.hpp"
#include "source/tar.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <map>
#include <thread>

#include <csignal>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::testing {
namespace {

class Flash : public FlashTest {};

TEST_F(Flash, CommitsWhatChanged) {
    makeRepository();
    write("second", "2\n");
    write("sub/third", "3\n");
    fs::remove(tree / "first");
    fs::create_symlink("nowhere", tree / "link");
    fs::permissions(tree / "sub/third", fs::perms::owner_exec, fs::perm_options::add);
    config().commitMessage = "  Of a Sunday \n\n\n";
    const auto done = prepared();

    EXPECT_EQ(committedFiles(), (std::set<std::string>{"link", "second", "sub/third"}));
    EXPECT_EQ(commits(), 2U);
    EXPECT_EQ(git({"log", "-1", "--format=%an <%ae> %B"}), "gitbot <gitbot@unraid.net>   Of a Sunday\n\n");
    EXPECT_EQ(done->metadata().at("gitCommitHash"), head());
    EXPECT_EQ(done->manifest().at("commit"), head());
    EXPECT_EQ(done->manifest().at("branch"), "refs/heads/master");
    EXPECT_EQ(done->manifest().at("profile"), "plain");
    EXPECT_EQ(git({"status", "--porcelain"}), "");
    EXPECT_EQ(git({"ls-tree", "HEAD", "sub/third"}).substr(0, 6), "100755");
    EXPECT_EQ(git({"ls-tree", "HEAD", "link"}).substr(0, 6), "120000");
    EXPECT_EQ(git({"fsck", "--strict"}), "");
    EXPECT_TRUE(ledger->outstanding().empty());
}

TEST_F(Flash, MakesNoCommitWhenNothingChanged) {
    makeRepository();
    const auto before = head();
    const auto index = fs::last_write_time(tree / ".git/index");
    const auto done = prepared();
    EXPECT_EQ(head(), before);
    EXPECT_EQ(done->metadata().at("gitCommitHash"), before);
    EXPECT_EQ(fs::last_write_time(tree / ".git/index"), index);
}

TEST_F(Flash, ResetsWhatWasStagedAndTakenBack) {
    makeRepository();
    write("first", "staged\n");
    git({"add", "first"});
    write("first", "1\n");
    const auto before = head();
    prepared();
    EXPECT_EQ(head(), before);
    EXPECT_EQ(git({"diff", "--cached", "--name-only"}), "");
}

/// An edit in the same instant as the last commit leaves size and time of the file as they were, and git tells by the
/// time of its index alone that it must look inside.
TEST_F(Flash, SeesAnEditThatTimesCannotShow) {
    makeRepository();
    git({"config", "core.trustctime", "false"});
    const struct timespec times[2] = {{1700000000, 0}, {1700000000, 0}};
    const auto setTime = [&](const char* name) {
        ASSERT_EQ(::utimensat(AT_FDCWD, (tree / name).c_str(), times, 0), 0);
    };
    write("first", "2\n");
    setTime("first");
    git({"commit", "-q", "-a", "-m", "2"});
    setTime(".git/index");
    write("first", "3\n");
    setTime("first");
    prepared();
    EXPECT_EQ(git({"show", "HEAD:first"}), "3\n");
}

TEST_F(Flash, MakesARepositoryWhereThereIsNone) {
    write("a", "1");
    fs::create_directories(tree / ".git"); // an empty folder is none
    prepared();
    EXPECT_EQ(commits(), 1U);
    EXPECT_EQ(git({"symbolic-ref", "HEAD"}), "refs/heads/master\n");
    EXPECT_EQ(git({"config", "--local", "user.name"}), "gitbot\n");
    EXPECT_EQ(committedFiles(), std::set<std::string>{"a"});
    std::set<std::string> inTree;
    for (const auto& entry : fs::directory_iterator(tree)) inTree.insert(entry.path().filename());
    EXPECT_EQ(inTree, (std::set<std::string>{".git", "a"}));
}

TEST_F(Flash, DoesNotMakeARepositoryAnewThatOnlyLacksItsExcludeFile) {
    makeRepository();
    fs::remove_all(tree / ".git/info");
    git({"config", "some.setting", "kept"});
    const auto before = head();
    prepared();
    EXPECT_EQ(head(), before);
    EXPECT_EQ(git({"config", "some.setting"}), "kept\n");
}

TEST_F(Flash, LeavesAPlainRepositorysRulesAlone) {
    makeRepository();
    write(".gitignore", "*.log\n!keep.log\n");
    write(".git/info/exclude", "secret\n");
    write(".gitattributes", "*.txt text eol=lf\n");
    write(".git/description", "mine\n");
    for (const auto* name : {"a.log", "keep.log", "secret", "config/shadow"}) write(name, "x");
    write("t.txt", "a\r\n");
    const auto configuration = read(".git/config");
    prepared();
    EXPECT_EQ(committedFiles(),
              (std::set<std::string>{".gitattributes", ".gitignore", "config/shadow", "first", "keep.log", "t.txt"}));
    EXPECT_EQ(git({"show", "HEAD:t.txt"}), "a\n");
    EXPECT_EQ(read(".git/config"), configuration);
    EXPECT_EQ(read(".git/info/exclude"), "secret\n");
    EXPECT_EQ(read(".gitattributes"), "*.txt text eol=lf\n");
    EXPECT_EQ(read(".git/description"), "mine\n");
    EXPECT_FALSE(fs::exists(tree / ".git/info/attributes"));
}

TEST_F(Flash, DropsFilesThatAreNowIgnoredButOnlyFromTheRepository) {
    makeRepository();
    write("tracked.log", "x");
    git({"add", "-A"});
    git({"commit", "-q", "-m", "log"});
    write(".gitignore", "*.log\n");
    const auto done = prepared();
    EXPECT_EQ(committedFiles(), (std::set<std::string>{".gitignore", "first"}));
    EXPECT_EQ(read("tracked.log"), "x");
    EXPECT_NE(done->metadata().at("message").get<std::string>().find("tracked.log"), std::string::npos);
}

TEST_F(Flash, CommitsOnADetachedHead) {
    makeRepository();
    git({"checkout", "-q", "--detach"});
    write("second", "2\n");
    const auto done = prepared();
    EXPECT_EQ(commits(), 2U);
    EXPECT_EQ(git({"rev-list", "--count", "master"}), "1\n");
    EXPECT_TRUE(done->manifest().at("branch").is_null());
}

TEST_F(Flash, CommitsOnABranchWithASlash) {
    makeRepository();
    git({"checkout", "-q", "-b", "a/b/c"});
    write("second", "2\n");
    prepared();
    EXPECT_EQ(git({"rev-list", "--count", "a/b/c"}), "2\n");
}

TEST_F(Flash, BlanksKeysInAPlainRepositoryThatAsksForIt) {
    makeRepository();
    write(".gitattributes", "*.conf filter=noprivatekeys\n");
    write("a.conf", "PrivateKey=SECRET=\n");
    write("a.other", "PrivateKey=public knowledge=\n");
    prepared();
    EXPECT_EQ(git({"show", "HEAD:a.conf"}), "PrivateKey=\n");
    EXPECT_EQ(git({"show", "HEAD:a.other"}), "PrivateKey=public knowledge=\n");
}

// --- what is refused ------------------------------------------------------------------------------------------------

TEST_F(Flash, RefusesAFilterThatItCannotRun) {
    makeRepository();
    write(".gitattributes", "*.key filter=git-crypt\n");
    write("a.key", "SECRET");
    const auto before = head();
    const auto text = refusal();
    EXPECT_NE(text.find("a.key"), std::string::npos) << text;
    EXPECT_NE(text.find("filter=git-crypt"), std::string::npos) << text;
    EXPECT_EQ(head(), before);
    EXPECT_EQ(git({"cat-file", "--batch-all-objects", "--batch"}).find("SECRET"), std::string::npos);
    EXPECT_FALSE(fs::exists(tree / ".git/index.lock"));
}

TEST_F(Flash, RefusesAnotherTextEncoding) {
    makeRepository();
    write(".gitattributes", "*.txt working-tree-encoding=UTF-16\n");
    write("a.txt", "x");
    EXPECT_NE(refusal().find("working-tree-encoding=UTF-16"), std::string::npos);
}

TEST_F(Flash, RefusesAMissingWorkTree) {
    config().gitPath = (root / "none/.git").string();
    EXPECT_NE(refusal().find("does not exist"), std::string::npos);
    EXPECT_FALSE(fs::exists(root / "none"));
}

TEST_F(Flash, RefusesAnEmptyWorkTreeAndLeavesItEmpty) {
    EXPECT_NE(refusal().find("the folder is empty"), std::string::npos);
    EXPECT_TRUE(fs::is_empty(tree));
}

TEST_F(Flash, RefusesWhenAllIsIgnored) {
    write("bzroot", "x");
    config().profile = "unraid";
    EXPECT_NE(refusal().find("There is nothing to back up"), std::string::npos);
}

TEST_F(Flash, RefusesALoopOfLinks) {
    fs::create_symlink(root / "b", root / "a");
    fs::create_symlink(root / "a", root / "b");
    config().gitPath = (root / "a/.git").string();
    EXPECT_NE(refusal().find("circle of symlinks"), std::string::npos);
    write("x", "");
    fs::create_symlink(".git", tree / ".git");
    config().gitPath = (tree / ".git").string();
    EXPECT_NE(refusal().find("is a symbolic link"), std::string::npos);
}

TEST_F(Flash, FollowsALinkToTheWorkTree) {
    makeRepository();
    fs::create_directory_symlink(tree, root / "link");
    config().gitPath = (root / "link/.git").string();
    EXPECT_EQ(refusal(), "");
}

TEST_F(Flash, RefusesAFileInThePlaceOfAFolder) {
    write("x", "");
    config().gitPath = (tree / "x/.git").string();
    EXPECT_NE(refusal().find("is not a folder"), std::string::npos);
    write(".git", "gitdir: elsewhere\n");
    config().gitPath = (tree / ".git").string();
    EXPECT_NE(refusal().find("points to a repository elsewhere"), std::string::npos);
}

TEST_F(Flash, RefusesALinkedWorkTree) {
    makeRepository();
    git({"worktree", "add", "-q", (root / "second").string()});
    config().gitPath = (root / "second/.git").string();
    EXPECT_NE(refusal().find("points to a repository elsewhere"), std::string::npos);
}

TEST_F(Flash, RefusesABareRepository) {
    git({"init", "-q", "--bare", ".git"});
    EXPECT_NE(refusal().find("is bare"), std::string::npos);
}

TEST_F(Flash, RefusesAWorkTreeElsewhere) {
    makeRepository();
    fs::create_directories(root / "elsewhere");
    git({"config", "core.worktree", (root / "elsewhere").string()});
    EXPECT_NE(refusal().find("has its work tree elsewhere"), std::string::npos);
}

TEST_F(Flash, RefusesEachLockOfAnotherGit) {
    makeRepository();
    write("second", "2\n");
    for (const auto* lock : {"index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "refs/heads/master.lock"}) {
        write(std::string(".git/") + lock, "");
        const auto text = refusal();
        EXPECT_NE(text.find("is locked by another git process"), std::string::npos) << text;
        EXPECT_NE(text.find(lock), std::string::npos) << text;
        undoAll();
        EXPECT_TRUE(fs::exists(tree / ".git" / lock)) << lock;
        fs::remove(tree / ".git" / lock);
        newRun();
    }
    EXPECT_EQ(refusal(), "");
}

TEST_F(Flash, RefusesASparseCheckout) {
    makeRepository();
    git({"update-index", "--skip-worktree", "first"});
    fs::remove(tree / "first");
    EXPECT_NE(refusal().find("is a sparse checkout (first"), std::string::npos);
}

TEST_F(Flash, RefusesAnUnfinishedMerge) {
    makeRepository();
    git({"checkout", "-q", "-b", "other"});
    write("first", "theirs\n");
    git({"commit", "-q", "-a", "-m", "theirs"});
    git({"checkout", "-q", "master"});
    write("first", "ours\n");
    git({"commit", "-q", "-a", "-m", "ours"});
    EXPECT_THROW(git({"merge", "other"}), Error);
    EXPECT_NE(refusal().find("in the middle of a merge"), std::string::npos);
    fs::remove(tree / ".git/MERGE_HEAD");
    EXPECT_NE(refusal().find("unresolved conflicts"), std::string::npos);
}

TEST_F(Flash, RefusesALinkThatAnotherUserCanExchange) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a link away";
    makeRepository();
    fs::create_directory_symlink(tree, root / "link");
    ASSERT_EQ(::lchown((root / "link").c_str(), 12345, 12345), 0);
    config().gitPath = (root / "link/.git").string();
    EXPECT_NE(refusal().find("others than root can exchange"), std::string::npos);
    config().gitPath = (tree / ".git").string();
    fs::create_directories(root / "cache");
    fs::create_directory_symlink(root / "cache", root / "linked-cache");
    ASSERT_EQ(::lchown((root / "linked-cache").c_str(), 12345, 12345), 0);
    config().streamDirect = false;
    config().localCachePath = (root / "linked-cache/flash.tar").string();
    EXPECT_NE(refusal().find("others than root can exchange"), std::string::npos);
    EXPECT_TRUE(fs::is_empty(root / "cache"));
}

TEST_F(Flash, NoticesThatTheWorkTreeWasExchanged) {
    makeRepository();
    auto place = findFlash(tree / ".git");
    EXPECT_NO_THROW(demandInPlace(place));
    fs::rename(tree, root / "away");
    fs::create_directory(tree);
    makeRepository();
    EXPECT_THROW(demandInPlace(place), Error);
    EXPECT_THROW(openFlash(place, true, Stop{}), Error);
    fs::remove_all(tree);
    fs::rename(root / "away", tree);
    EXPECT_NO_THROW(demandInPlace(place));
    fs::rename(tree / ".git", tree / "other");
    fs::create_directory_symlink("other", tree / ".git");
    EXPECT_THROW(demandInPlace(place), Error);
}

TEST_F(Flash, RefusesRulesThatAreNoFile) {
    makeRepository();
    fs::create_directories(tree / "sub");
    ASSERT_EQ(::mkfifo((tree / "sub/.gitignore").c_str(), 0666), 0);
    EXPECT_NE(refusal().find("sub/.gitignore is no regular file"), std::string::npos);
    fs::rename(tree / "sub/.gitignore", tree / "pipe");
    fs::create_symlink("../pipe", tree / "sub/.gitattributes");
    EXPECT_NE(refusal().find("sub/.gitattributes is no regular file"), std::string::npos);
    EXPECT_FALSE(fs::exists(tree / ".git/index.lock"));
}

TEST_F(Flash, RefusesWhenTheLastFileGoes) {
    makeRepository();
    const auto before = head();
    write(".git/info/exclude", "*\n");
    EXPECT_NE(refusal().find("Not one file is left"), std::string::npos);
    EXPECT_EQ(head(), before);
    EXPECT_EQ(git({"ls-files"}), "first\n");
}

TEST_F(Flash, CommitsWhatBitsOfTheIndexHide) {
    makeRepository();
    write("second", "2\n");
    git({"add", "-A"});
    git({"commit", "-q", "-m", "two"});
    git({"update-index", "--assume-unchanged", "first"});
    git({"update-index", "--skip-worktree", "second"});
    write("first", "changed\n");
    write("second", "changed\n");
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(git({"show", "HEAD:first"}), "changed\n");
    EXPECT_EQ(git({"show", "HEAD:second"}), "changed\n");
    EXPECT_EQ(git({"ls-files", "-v"}), "h first\nS second\n");
    write("second", "again\n");
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(git({"show", "HEAD:second"}), "again\n");
}

TEST_F(Flash, TakesTheFilesOfNestedRepositories) {
    makeRepository();
    fs::create_directories(tree / "inner/deep");
    run(tree / "inner", {"git", "init", "-q"});
    write("inner/x", "x");
    write("inner/deep/y", "y");
    write("inner/left-out", "z");
    write("inner/.gitignore", "left-out\n");
    const std::set<std::string> all{"first", "inner/.gitignore", "inner/deep/y", "inner/x"};
    auto done = prepared();
    EXPECT_EQ(committedFiles(), all);
    EXPECT_NE(done->notice().find("inner"), std::string::npos);
    run(tree / "inner", {"git", "add", "x"});
    run(tree / "inner", {"git", "commit", "-q", "-m", "x"});
    write("inner/x", "changed");
    fs::remove(tree / "inner/deep/y");
    write("inner/new", "n");
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(committedFiles(), (std::set<std::string>{"first", "inner/.gitignore", "inner/new", "inner/x"}));
    EXPECT_EQ(git({"show", "HEAD:inner/x"}), "changed");
    EXPECT_NE(prepared()->notice().find("inner"), std::string::npos) << "each time";

    fs::create_directories(tree / "other/repository");
    run(tree / "other/repository", {"git", "init", "-q"});
    write("other/repository/file", "f");
    run(tree / "other/repository", {"git", "add", "-A"});
    run(tree / "other/repository", {"git", "commit", "-q", "-m", "f"});
    EXPECT_EQ(refusal(), "");
    EXPECT_TRUE(committedFiles().contains("other/repository/file"));
}

TEST_F(Flash, RefusesSubmodules) {
    makeRepository();
    fs::create_directories(tree / "inner");
    run(tree / "inner", {"git", "init", "-q"});
    write("inner/x", "x");
    run(tree / "inner", {"git", "add", "x"});
    run(tree / "inner", {"git", "commit", "-q", "-m", "x"});
    git({"add", "inner"});
    git({"commit", "-q", "-m", "embedded"});
    EXPECT_NE(refusal().find("has submodules (inner)"), std::string::npos);
    git({"rm", "-q", "--cached", "inner"});
    write(".gitignore", "inner\n");
    EXPECT_EQ(refusal(), "");
    write(".gitmodules", "");
    EXPECT_NE(refusal().find("has submodules (.gitmodules)"), std::string::npos);
}

TEST_F(Flash, RefusesCorruptRepositories) {
    const auto corruptBy = [&](const std::function<void()>& damage) {
        fs::remove_all(tree);
        fs::create_directories(tree);
        makeRepository();
        damage();
        newRun();
        const auto text = refusal();
        EXPECT_NE(text.find("is corrupt"), std::string::npos) << text;
        EXPECT_NE(text.find("git fsck"), std::string::npos) << text;
        undoAll();
        EXPECT_FALSE(fs::exists(tree / ".git/index.lock"));
    };
    const auto objectPath = [&](const std::string& revision) {
        const auto hash = git({"rev-parse", revision});
        const auto path = tree / ".git/objects" / hash.substr(0, 2) / hash.substr(2, 38);
        fs::permissions(path, fs::perms::owner_all);
        return path;
    };
    corruptBy([&] { write(".git/HEAD", "nonsense"); });
    corruptBy([&] { fs::remove(tree / ".git/HEAD"); });
    corruptBy([&] { fs::remove_all(tree / ".git/objects"); });
    corruptBy([&] { fs::resize_file(tree / ".git/index", 40); });
    corruptBy([&] { write(".git/index", "DIRC nonsense that is longer than a header"); });
    corruptBy([&] { write(".git/config", "[core\n"); });
    corruptBy([&] { write(".git/refs/heads/master", ""); });
    corruptBy([&] { write(".git/refs/heads/other", std::string(40, 'a') + "\n"); });
    corruptBy([&] { fs::resize_file(objectPath("HEAD"), 0); });
    corruptBy([&] { fs::remove(objectPath("HEAD^{tree}")); });
    corruptBy([&] { fs::resize_file(objectPath("HEAD:first"), 0); });
    corruptBy([&] { fs::remove(objectPath("HEAD:first")); });
}

TEST_F(Flash, RefusesAKindOfRepositoryThatLibgit2CannotRead) {
    git({"init", "-q", "--object-format=sha256"});
    const auto text = refusal();
    EXPECT_NE(text.find("SHA-256"), std::string::npos) << text;
    fs::remove_all(tree / ".git");
    makeRepository();
    git({"update-index", "--split-index"});
    EXPECT_NE(refusal().find("git update-index --no-split-index"), std::string::npos);
    git({"update-index", "--no-split-index"});
    EXPECT_EQ(refusal(), "");
    git({"config", "core.repositoryFormatVersion", "1"});
    git({"config", "extensions.worktreeConfig", "true"});
    EXPECT_NE(refusal().find("git config --unset extensions.worktreeConfig"), std::string::npos);
}

TEST_F(Flash, RefusesARepositoryOfAnotherUser) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a repository away";
    makeRepository();
    ASSERT_EQ(::chown((tree / ".git").c_str(), 12345, 12345), 0);
    const auto text = refusal();
    EXPECT_NE(text.find("belongs to user 12345, not to root"), std::string::npos) << text;
    EXPECT_NE(text.find("safe.directory"), std::string::npos) << text;
    ASSERT_EQ(::chown((tree / ".git").c_str(), 0, 0), 0);
    fs::remove_all(tree / ".git");
    ASSERT_EQ(::chown(tree.c_str(), 12345, 12345), 0);
    EXPECT_NE(refusal().find("belongs to user 12345"), std::string::npos);
    EXPECT_FALSE(fs::exists(tree / ".git"));
}

TEST_F(Flash, RefusesHistoryThatLiesElsewhere) {
    makeRepository();
    run(root, {"git", "clone", "-q", "--shared", tree.string(), "clone"});
    config().gitPath = (root / "clone/.git").string();
    EXPECT_NE(refusal().find("borrows objects"), std::string::npos);
    config().includeGitHistory = false;
    EXPECT_EQ(refusal(), "");
}

// --- what is uploaded -----------------------------------------------------------------------------------------------

TEST_F(Flash, UploadsTheRepositoryWhole) {
    makeRepository();
    for (int i = 0; i < 300; ++i) write("d/" + std::to_string(i), std::string(static_cast<std::size_t>(i) * 40, 'x'));
    const auto done = prepared();
    const auto producer = std::get<Producer>(done->upload());
    const auto archive = streamed(producer);
    await(done->doneReading());

    EXPECT_EQ(producer.format, "tar");
    EXPECT_TRUE(producer.estimated);
    EXPECT_EQ(producer.totalBytes, fs::file_size(archive));
    const auto copy = unpacked(archive);
    EXPECT_EQ(run(copy, {"git", "fsck", "--strict", "--full"}), "");
    EXPECT_EQ(run(copy, {"git", "rev-parse", "HEAD"}), head() + "\n");
    run(copy, {"diff", "-r", (tree / ".git").string(), (copy / ".git").string()});
}

TEST_F(Flash, TellsTheSizeOfLongNamesAndLinks) {
    const std::string longName(120, 'n');
    write(longName + "/" + longName + "/file", std::string(1000, 'x'));
    write(std::string(97, 'e'), "at the border, with the prefix");
    write(std::string(98, 'e'), "just beyond it");
    fs::create_symlink(longName + longName, tree / "link");
    fs::create_hard_link(tree / std::string(97, 'e'), tree / "hard");
    const auto producer = tarOfFiles(tree, 1);
    EXPECT_EQ(producer.totalBytes, fs::file_size(streamed(producer)));
}

TEST_F(Flash, NoticesThatTheRepositoryChangedWhileItWasRead) {
    makeRepository();
    auto done = prepared();
    done->upload();
    git({"status"});
    EXPECT_NO_THROW(await(done->doneReading()));
    write("second", "2\n");
    git({"add", "-A"});
    EXPECT_THROW(await(done->doneReading()), Error);
    done->upload();
    EXPECT_NO_THROW(await(done->doneReading()));
}

TEST_F(Flash, UploadsOnlyTheCommittedFilesWithoutHistory) {
    makeFlashDrive();
    write("config/wireguard/wg0.conf", "PrivateKey=SECRET=\n");
    write("config/shadow", "SECRET");
    write("config/go", "#!/bin/sh\n");
    fs::permissions(tree / "config/go", fs::perms::owner_all);
    fs::create_symlink("go", tree / "config/link");
    config().includeGitHistory = false;
    const auto done = prepared();
    const auto producer = std::get<Producer>(done->upload());
    const auto archive = streamed(producer);
    EXPECT_EQ(producer.totalBytes, fs::file_size(archive));
    EXPECT_EQ(readFile(archive, 1 << 20).find("SECRET"), std::string::npos);

    const auto copy = unpacked(archive);
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(copy)) {
        if (!entry.is_directory()) files.insert(entry.path().lexically_relative(copy));
    }
    EXPECT_EQ(files, committedFiles());
    EXPECT_EQ(readFile(copy / "config/wireguard/wg0.conf", 1000), "PrivateKey=\n");
    EXPECT_EQ(fs::status(copy / "config/go").permissions(), fs::perms(0755));
    EXPECT_EQ(fs::status(copy / "config/ident.cfg").permissions(), fs::perms(0644));
    EXPECT_EQ(fs::read_symlink(copy / "config/link"), "go");

    const auto first = readFile(archive, 1 << 20);
    undoAll();
    EXPECT_FALSE(fs::exists(paths.scratch(plan.id)));
    newRun();
    EXPECT_EQ(readFile(streamed(std::get<Producer>(prepared()->upload())), 1 << 20), first);
}

TEST_F(Flash, UploadsFilesAsTheyLieWithoutHistory) {
    makeRepository();
    write(".gitattributes", "* text=auto eol=crlf\n*.id ident\nkeys.txt filter=noprivatekeys\nx.bin -text\n");
    const std::map<std::string, std::string> lying{{"win.bat", "echo\r\ngo\r\n"},
                                                   {"unix.sh", "echo\n"},
                                                   {"mixed.txt", "a\r\nb\n"},
                                                   {"a.id", "$Id: something else $\r\n"},
                                                   {"x.bin", "a\r\nb"}};
    for (const auto& [name, content] : lying) write(name, content);
    write("keys.txt", "PrivateKey = abc\r\n");
    config().includeGitHistory = false;
    const auto done = prepared();
    EXPECT_EQ(git({"show", "HEAD:win.bat"}), "echo\ngo\n");
    const auto files = unpacked(streamed(std::get<Producer>(done->upload())));
    for (const auto& [name, content] : lying) EXPECT_EQ(readFile(files / name, 1000), content) << name;
    EXPECT_EQ(readFile(files / "keys.txt", 1000), "PrivateKey =\r\n");
    EXPECT_EQ(fs::status(files / "win.bat").permissions(), fs::perms(0644));
}

TEST_F(Flash, ReadsItsCacheFileByDescriptor) {
    makeRepository();
    config().streamDirect = false;
    config().localCachePath = (root / "cache.tar").string();
    const auto done = prepared();
    fs::remove(root / "cache.tar");
    fs::create_symlink("/etc/passwd", root / "cache.tar");
    const auto file = std::get<StoredFile>(done->upload());
    ASSERT_GE(file.fd, 0);
    fs::copy_file(fmt::format("/proc/self/fd/{}", file.fd), root / "copy.tar");
    EXPECT_EQ(run(unpacked(root / "copy.tar"), {"git", "fsck", "--strict"}), "");
}

TEST_F(Flash, GoesThroughACacheFileThatIsRemoved) {
    makeRepository();
    config().streamDirect = false;
    const auto done = prepared();
    const auto file = std::get<StoredFile>(done->upload());
    EXPECT_EQ(file.format, "tar");
    EXPECT_TRUE(file.path.string().starts_with(paths.cache().string()));
    EXPECT_EQ(fs::status(file.path).permissions(), fs::perms(0600));
    EXPECT_EQ(run(unpacked(file.path), {"git", "fsck", "--strict"}), "");
    bool mayBeKept = false;
    for (const auto& entry : ledger->outstanding()) mayBeKept = mayBeKept || entry.onFailure == OnFailure::Keep;
    EXPECT_TRUE(mayBeKept);
    undoAll();
    EXPECT_FALSE(fs::exists(paths.scratch(plan.id)));
    EXPECT_TRUE(fs::is_empty(paths.cache()));
}

TEST_F(Flash, KeepsACacheFileThatTheCleanupKeeps) {
    makeRepository();
    config().streamDirect = false;
    const auto file = std::get<StoredFile>(prepared()->upload()).path;
    for (const auto& entry : ledger->outstanding()) {
        if (entry.onFailure == OnFailure::Keep) continue;
        EXPECT_TRUE(await(undoSourceEntry(entry, ledger->header())));
    }
    EXPECT_TRUE(fs::exists(file));
}

TEST_F(Flash, LeavesTheUsersCacheFileAndReplacesItWhole) {
    makeRepository();
    config().streamDirect = false;
    config().includeGitHistory = false;
    config().localCachePath = (root / "cache.tar").string();
    std::ofstream(root / "cache.tar") << "an older one";
    const auto done = prepared();
    EXPECT_EQ(std::get<StoredFile>(done->upload()).path, root / "cache.tar");
    undoAll();
    EXPECT_EQ(readFile(unpacked(root / "cache.tar") / "first", 100), "1\n");
    for (const auto& entry : fs::directory_iterator(root)) {
        EXPECT_EQ(entry.path().string().find("holdfast-" + plan.id), std::string::npos) << entry.path();
    }
}

TEST_F(Flash, RefusesACacheFileThatCannotBe) {
    makeRepository();
    config().streamDirect = false;
    config().localCachePath = (tree / "cache.tar").string();
    EXPECT_NE(refusal().find("each backup would hold the one before"), std::string::npos);
    fs::create_directory_symlink(tree, root / "link");
    config().localCachePath = (root / "link/cache.tar").string();
    EXPECT_NE(refusal().find("each backup would hold the one before"), std::string::npos);
    config().localCachePath = (root / "none/cache.tar").string();
    EXPECT_NE(refusal().find("is not there"), std::string::npos);
    config().localCachePath = (root / "etc2").string();
    fs::create_directories(root / "etc2");
    EXPECT_NE(refusal().find("must name a file"), std::string::npos);
}

TEST_F(Flash, SaysWhyTheCacheFileCouldNotBeWritten) {
    makeRepository();
    config().streamDirect = false;
    config().localCachePath = "/dev/shm/../../proc/cache.tar";
    EXPECT_THROW(prepared(), std::system_error);
}

// --- cut short ------------------------------------------------------------------------------------------------------

class FlashUndo : public FlashTest {
  protected:
    void SetUp() override {
        FlashTest::SetUp();
        makeRepository();
    }
    void acquire() {
        ledger->acquire("git-lock", gitLockEntry(tree / ".git", {tree / ".git/index.lock", tree / ".git/HEAD.lock",
                                                                 tree / ".git/refs/heads/master.lock"}));
    }
    void makeOld(const std::string& name) {
        // ctime cannot be set, so the entry is made younger instead.
        write(name, "");
        std::this_thread::sleep_for(std::chrono::milliseconds(3100));
    }
    std::string ours() { return ".holdfast-" + plan.id; }
};

TEST_F(FlashUndo, RemovesWhatARunLeftBehind) {
    acquire();
    const std::vector<std::string> left{".git/index.lock",
                                        ".git/refs/heads/master.lock",
                                        ".git/index" + ours(),
                                        ".git/index" + ours() + ".lock",
                                        ".git/info/exclude" + ours(),
                                        ".gitattributes" + ours(),
                                        ".git/objects/tmp_object_git2_a1b2c3"};
    for (const auto& name : left) write(name, "");
    write(".git/index.lock", "holdfast " + plan.id + "\n");
    const auto entry = ledger->outstanding().at(0);
    for (int twice = 0; twice < 2; ++twice) {
        EXPECT_TRUE(await(undoSourceEntry(entry, ledger->header())));
        for (const auto& name : left) EXPECT_FALSE(fs::exists(tree / name)) << name;
    }
    EXPECT_EQ(git({"status", "--porcelain"}), "");
}

TEST_F(FlashUndo, LeavesWhatIsNotOurs) {
    write(".git/objects/tmp_object_git2_a1b2c3", "");
    makeOld(".git/refs/heads/master.lock");
    acquire();
    write(".git/index.lock", "holdfast " + newId() + "\n");
    write(".git/index.holdfast-" + newId(), "");
    write(".git/shallow.lock", "");
    undoAll();
    EXPECT_TRUE(fs::exists(tree / ".git/refs/heads/master.lock"));
    EXPECT_TRUE(fs::exists(tree / ".git/objects/tmp_object_git2_a1b2c3"));
    EXPECT_TRUE(fs::exists(tree / ".git/index.lock"));
    EXPECT_TRUE(fs::exists(tree / ".git/shallow.lock"));
    for (const auto* content : {"", "DIRC another git writes its index"}) {
        newRun();
        acquire();
        write(".git/index.lock", content);
        undoAll();
        EXPECT_TRUE(fs::exists(tree / ".git/index.lock")) << content;
    }
}

TEST_F(FlashUndo, AcceptsThatTheDriveIsGone) {
    acquire();
    fs::remove_all(tree);
    EXPECT_NO_THROW(undoAll());
}

TEST_F(FlashUndo, RemovesOnlyFoldersOfTheRun) {
    const auto folder = paths.scratch(plan.id);
    fs::create_directories(folder / "files");
    fs::create_directory_symlink(tree, folder / "files/link");
    ledger->acquire("scratch", {{"path", (folder / "files").string()}});
    undoAll();
    EXPECT_TRUE(fs::exists(tree / "first"));
    EXPECT_FALSE(fs::exists(folder / "files"));
    for (const auto& path : {tree.string(), std::string("/"), (folder / "../x").string(), std::string("relative"),
                             paths.scratch(newId()).string()}) {
        const LedgerEntry entry{1, "scratch", {{"path", path}}, OnFailure::Undo};
        EXPECT_THROW(await(undoSourceEntry(entry, ledger->header())), Error) << path;
    }
    EXPECT_TRUE(fs::exists(tree / "first"));
}

TEST_F(FlashUndo, KnowsItsKinds) {
    const LedgerEntry entry{1, "object", {{"object", "r:x"}}, OnFailure::Undo};
    EXPECT_FALSE(await(undoSourceEntry(entry, ledger->header())));
}

TEST_F(FlashUndo, LeavesNothingWhenItIsCancelled) {
    for (int i = 0; i < 800; ++i) write("many/" + std::to_string(i), std::to_string(i));
    const auto before = head();
    const auto made = source();
    EXPECT_THROW(await(withDeadline(made->prepare(), std::chrono::milliseconds(10), "too slow")), TimedOut);
    EXPECT_EQ(head(), before);
    EXPECT_FALSE(fs::exists(tree / ".git/index.lock"));
    undoAll();
    for (const auto& entry : fs::recursive_directory_iterator(tree / ".git")) {
        EXPECT_EQ(entry.path().string().find(ours()), std::string::npos) << entry.path();
    }
    newRun();
    prepared();
    EXPECT_EQ(committedFiles().size(), 801U);
}

/// The real thing: a process is killed at many moments, and the ledger alone says what to clean.
TEST_F(FlashUndo, LeavesNothingWhenItIsKilled) {
    makeFlashDrive();
    for (int i = 0; i < 60; ++i) write("config/many/" + std::to_string(i), newId());
    config().profile = "unraid";
    config().includeGitHistory = false;
    config().streamDirect = false;
    for (int milliseconds = 0; milliseconds < 250; milliseconds += 10) {
        if (milliseconds % 50 == 0) fs::remove_all(tree / ".git"); // so that some are killed while they make it
        write("config/changing", std::to_string(milliseconds));
        newRun();
        const pid_t child = ::fork();
        if (child == 0) {
            prepared();
            ::_exit(0);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        ::kill(child, SIGKILL);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);

        ledger.emplace(Ledger::open(paths.ledger(plan.id)));
        undoAll();
        EXPECT_TRUE(!fs::exists(paths.cache()) || fs::is_empty(paths.cache())) << milliseconds;
        for (const auto& entry : fs::recursive_directory_iterator(tree)) {
            const auto name = entry.path().filename().string();
            EXPECT_FALSE(name.ends_with(".lock") || name.find(ours()) != std::string::npos || name.starts_with("tmp_"))
                << entry.path() << " after " << milliseconds;
        }
    }
    newRun();
    prepared();
    EXPECT_EQ(git({"fsck", "--strict", "--no-dangling"}), "");
    EXPECT_EQ(git({"show", "HEAD:config/changing"}), "240");
}

TEST(Background, StopsItsWorkBeforeTheWaitEnds) {
    Background background;
    bool ended = false;
    const auto work = [&](const Stop& stop) {
        while (!stop.requested()) std::this_thread::yield();
        ended = true;
        stop.check();
    };
    EXPECT_THROW(await(withDeadline(background.run(work), std::chrono::milliseconds(10), "too slow")), TimedOut);
    EXPECT_TRUE(ended);
}

TEST(Background, BringsExceptionsBack) {
    Background background;
    EXPECT_THROW(await(background.run([](const Stop&) { throw Error("here"); })), Error);
}

} // namespace
} // namespace holdfast::testing
