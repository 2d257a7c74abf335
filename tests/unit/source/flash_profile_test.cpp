#include "source/flash_profile.hpp"

#include "flash_fixture.hpp"

namespace holdfast::testing {
namespace {

class FlashProfile : public FlashTest {};

TEST_F(FlashProfile, IsToldByWhatLiesThere) {
    EXPECT_EQ(detectProfile(tree), "plain");
    write("config/x", "");
    EXPECT_EQ(detectProfile(tree), "plain");
    write("bzimage", "");
    EXPECT_EQ(detectProfile(tree), "unraid");
}

TEST_F(FlashProfile, DescribesTheServer) {
    std::ofstream(root / "v.ini") << "NAMESERVER=\"x\"\nNAME=\"My Tower\"\r\n";
    EXPECT_EQ(flashDescription(root / "v.ini"), "Unraid flash drive for My Tower\n");
    EXPECT_EQ(flashDescription(root / "none.ini"), "Unraid flash drive for Unknown Server\n");
    std::ofstream(root / "empty.ini") << "NAME=\"\"\n";
    EXPECT_EQ(flashDescription(root / "empty.ini"), "Unraid flash drive for Unknown Server\n");
}

TEST_F(FlashProfile, KeepsAUsersRulesAndReplacesItsOwn) {
    const auto first = flashExcludes("config/mine\n", {"config/big"});
    EXPECT_TRUE(first.starts_with("config/mine\n"));
    EXPECT_NE(first.find("\n/config/big\n"), std::string::npos);
    const auto second = flashExcludes(first + "config/later\n", {});
    EXPECT_EQ(second.find("/config/big"), std::string::npos);
    EXPECT_TRUE(second.starts_with("config/mine\n"));
    EXPECT_TRUE(second.ends_with("config/later\n"));
    EXPECT_EQ(flashExcludes(second, {}), second);
}

TEST_F(FlashProfile, ReplacesTheRulesOfTheFormerTool) {
    const auto excludes = flashExcludes("# file managed by Unraid, do not modify\n# version 1.2\nconfig/was-big\n", {});
    EXPECT_EQ(excludes.find("was-big"), std::string::npos);
    EXPECT_EQ(excludes, flashExcludes("", {}));
}

TEST_F(FlashProfile, AttributesAreAddedOnce) {
    const auto lines = flashAttributes("");
    EXPECT_EQ(lines, "config/wireguard/*.cfg filter=noprivatekeys\n"
                     "config/wireguard/*.conf filter=noprivatekeys\n"
                     "config/wireguard/peers/*.conf filter=noprivatekeys\n");
    EXPECT_EQ(flashAttributes("# file managed by Unraid, do not modify\n" + lines),
              "# file managed by Unraid, do not modify\n" + lines);
    EXPECT_EQ(flashAttributes("*.txt text"), "*.txt text\n" + lines);
}

TEST_F(FlashProfile, FindsFilesThatAreTooLarge) {
    writeSparse("config/exact", largestFlashFile);
    writeSparse("config/a/over", largestFlashFile + 1);
    writeSparse("bzroot", largestFlashFile + 1);
    fs::create_symlink(tree / "bzroot", tree / "config/link");
    EXPECT_EQ(oversizeFiles(tree), std::vector<std::string>{"config/a/over"});
}

/// What is in and what is out, by the facts about the drive.
TEST_F(FlashProfile, ChoosesTheFilesThatBelong) {
    makeFlashDrive();
    const std::set<std::string> in{"bzimage.sha256",
                                   "changes.txt",
                                   "license.txt",
                                   "startup.nsh",
                                   "EFI/boot/syslinux.cfg",
                                   "EFI-/boot/syslinux.cfg",
                                   "syslinux/syslinux.cfg",
                                   "syslinux/syslinux.cfg-",
                                   "config/ident.cfg",
                                   "config/super.dat",
                                   "config/shares/a share.cfg",
                                   "config/plugins/x.plg",
                                   "config/plugins/x/deep/er/x.cfg",
                                   "config/plugins/changes.txt",
                                   "config/plugins/shadow",
                                   "config/wireguard/wg0.conf",
                                   "config/wireguard/peers/peer-1.conf",
                                   "config/exactly-10M"};
    const std::set<std::string> out{"bzroot",
                                    "config.old/x",
                                    "make_bootable.bat",
                                    "logs/syslog",
                                    "previous/changes.txt",
                                    "EFI/boot/bootx64.efi",
                                    "EFI/other/syslinux.cfg",
                                    "EFI/stray",
                                    "syslinux/menu.c32",
                                    "config/drift",
                                    "config/forcesync",
                                    "config/random-seed",
                                    "config/shadow",
                                    "config/smbpasswd",
                                    "config/plugins-error/x.plg",
                                    "config/plugins-old-versions/x/y",
                                    "config/plugins/unRAIDServer.plg",
                                    "config/plugins/x.tgz",
                                    "config/plugins/x/x.txz",
                                    "config/plugins/x/deep/er/x.tar.bz2",
                                    "config/plugins/dockerMan/images/a.png",
                                    "config/plugins/dynamix.file.integrity/logs/l",
                                    "config/wireguard/peers/peer-1.png",
                                    "config/over-10M",
                                    "config/odd [1]*? \\name "};
    for (const auto& name : in) write(name, "x");
    for (const auto& name : out) write(name, "x");
    writeSparse("config/exactly-10M", largestFlashFile);
    writeSparse("config/over-10M", largestFlashFile + 1);
    writeSparse("config/odd [1]*? \\name ", largestFlashFile + 1);
    write("config/odd 1aa \\name ", "resembles the pattern of the one that is too large");
    prepared();

    auto expected = in;
    expected.insert("config/odd 1aa \\name ");
    EXPECT_EQ(committedFiles(), expected);
    // git itself, by the managed exclude file, sees nothing that was forgotten and nothing that should not be there.
    EXPECT_EQ(git({"status", "--porcelain", "--untracked-files=all"}), "");
    EXPECT_EQ(git({"ls-files", "--cached", "--ignored", "--exclude-standard"}), "");
}

TEST_F(FlashProfile, IgnoresCaseAsTheDriveDoes) {
    makeFlashDrive();
    git({"init", "-q", "-b", "master"});
    git({"config", "core.ignorecase", "true"});
    write("Changes.TXT", "x");
    write("config/SHADOW", "x");
    write("config/plugins/A.TGZ", "x");
    write("config/WireGuard/WG0.CONF", "PrivateKey=secret=\n");
    write("EFI/BOOT/SYSLINUX.CFG", "x");
    prepared();
    EXPECT_EQ(committedFiles(), (std::set<std::string>{"Changes.TXT", "EFI/BOOT/SYSLINUX.CFG", "config/ident.cfg",
                                                       "config/WireGuard/WG0.CONF"}));
    EXPECT_EQ(git({"show", "HEAD:config/WireGuard/WG0.CONF"}), "PrivateKey=\n");
}

TEST_F(FlashProfile, SetsUpANewRepository) {
    makeFlashDrive();
    prepared();
    EXPECT_EQ(git({"symbolic-ref", "HEAD"}), "refs/heads/master\n");
    EXPECT_EQ(read(".git/description"), "Unraid flash drive for Tower\n");
    EXPECT_EQ(git({"config", "--local", "user.name"}), "gitbot\n");
    EXPECT_EQ(git({"config", "--local", "user.email"}), "gitbot@unraid.net\n");
    EXPECT_EQ(git({"log", "--format=%an %ae %cn %ce %s"}),
              "gitbot gitbot@unraid.net gitbot gitbot@unraid.net Backup via comprehensive backup system\n");
    EXPECT_EQ(git({"fsck", "--strict"}), "");
    EXPECT_EQ(ledger->outstanding().size(), 0U);
}

TEST_F(FlashProfile, KeepsKeysOutOfTheRepositoryAndOnTheDrive) {
    makeFlashDrive();
    const std::string conf =
        "[Interface]\r\nPrivateKey=SECRETconf=\r\n#PresharedKey = SECRETpsk=\r\nListenPort=51820\r\n";
    const std::string cfg = "PrivateKey:1=\"SECRETcfg=\"\nPublicKey:1=\"SECRETpub=\"\nEndpoint:0=\"x\"\n";
    write("config/wireguard/wg0.conf", conf);
    write("config/wireguard/wg0.cfg", cfg);
    write("config/wireguard/wg0.cfg.bak", cfg);
    write("config/wireguard/peers/p.conf", conf);
    prepared();

    EXPECT_EQ(git({"show", "HEAD:config/wireguard/wg0.conf"}),
              "[Interface]\r\nPrivateKey=\r\n#PresharedKey =\r\nListenPort=51820\r\n");
    EXPECT_EQ(git({"show", "HEAD:config/wireguard/wg0.cfg"}),
              "PrivateKey:1=\"\"\nPublicKey:1=\"\"\nEndpoint:0=\"x\"\n");
    EXPECT_EQ(read("config/wireguard/wg0.conf"), conf);
    EXPECT_EQ(read("config/wireguard/wg0.cfg"), cfg);
    const auto objects = git({"cat-file", "--batch-all-objects", "--batch"});
    EXPECT_NE(objects.find("ListenPort=51820"), std::string::npos);
    EXPECT_EQ(objects.find("SECRET"), std::string::npos);
}

/// A drive whose repository has keys in it, files that do not belong there and the former tool's settings in it.
TEST_F(FlashProfile, TakesOverARepository) {
    makeFlashDrive();
    git({"init", "-q", "-b", "master"});
    write("config/wireguard/wg0.conf", "PrivateKey=SECRET=\n");
    write("config/shadow", "root:hash\n");
    write("config/plugins/x.tgz", "x");
    git({"add", "-A"});
    git({"commit", "-q", "-m", "without a filter"});
    git({"config", "filter.noprivatekeys.clean", "/usr/local/sbin/none"});
    git({"config", "user.name", "gitbot"});
    git({"config", "user.email", "me@example.com"});
    write(".git/info/exclude",
          "# file managed by Unraid, do not modify\n# version 1.2\n/*\n!config/\nconfig/was-big\n");
    write("config/was-big", "small now");
    const auto before = head();
    const auto done = prepared();

    EXPECT_EQ(committedFiles(),
              (std::set<std::string>{"config/ident.cfg", "config/was-big", "config/wireguard/wg0.conf"}));
    EXPECT_EQ(git({"show", "HEAD:config/wireguard/wg0.conf"}), "PrivateKey=\n");
    EXPECT_EQ(git({"rev-parse", "HEAD^"}), before + "\n");
    EXPECT_EQ(git({"config", "filter.noprivatekeys.clean"}), "/usr/local/sbin/none\n");
    EXPECT_EQ(git({"config", "user.email"}), "me@example.com\n");
    for (const auto* kept : {"config/shadow", "config/plugins/x.tgz", "bzimage"}) EXPECT_TRUE(fs::exists(tree / kept));
    EXPECT_EQ(read("config/wireguard/wg0.conf"), "PrivateKey=SECRET=\n");
    EXPECT_NE(done->metadata().at("message").get<std::string>().find("4 file(s), the first is bzimage"),
              std::string::npos);
    EXPECT_EQ(git({"fsck", "--strict"}), "");
}

TEST_F(FlashProfile, FollowsAFileThatGrowsAndShrinks) {
    makeFlashDrive();
    writeSparse("config/db", 100);
    prepared();
    EXPECT_EQ(committedFiles().count("config/db"), 1U);
    newRun();
    writeSparse("config/db", largestFlashFile + 1);
    prepared();
    EXPECT_EQ(committedFiles().count("config/db"), 0U);
    newRun();
    writeSparse("config/db", 100);
    prepared();
    EXPECT_EQ(committedFiles().count("config/db"), 1U);
}

TEST_F(FlashProfile, MayBeChosenByTheJob) {
    makeFlashDrive();
    config().profile = "plain";
    prepared();
    EXPECT_EQ(committedFiles().count("bzimage"), 1U);
    EXPECT_FALSE(fs::exists(tree / ".gitattributes"));
}

} // namespace
} // namespace holdfast::testing
