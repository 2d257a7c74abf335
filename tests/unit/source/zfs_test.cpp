#include "source/zfs_command.hpp"
#include "source/zfs_disarm.hpp"

#include "job/job.hpp"
#include "util/file.hpp"

#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::string_literals;

// What `zfs send` without arguments writes.
const auto fuse = R"(missing snapshot argument
usage:
	send [-RDp] [-[iI] snapshot] <snapshot>

For the property list, run: zfs set|get
)"s;

const auto openZfs21 = R"(missing snapshot argument
usage:
	send [-DnPpRvLecwhb] [-[i|I] snapshot] <snapshot>
	send [-nvPLecw] [-i snapshot|bookmark] <filesystem|volume|snapshot>
	send [-DnPpvLec] [-i bookmark|snapshot] --redact <bookmark> <snapshot>
	send [-nvPe] -t <receive_resume_token>
	send [-PnVv] --saved filesystem
)"s;

const auto openZfs23 = R"(missing snapshot argument
usage:
	send [-DLPbcehnpsVvw] [-i|-I snapshot]
	     [-R [-X dataset[,dataset]...]]     <snapshot>
	send [-DnVvPLecw] [-i snapshot|bookmark] <filesystem|volume|snapshot>
)"s;

TEST(Zfs, WhatSendCanDoIsReadFromItsUsage) {
    for (const auto& usage : {openZfs21, openZfs23}) {
        const auto options = parseSendUsage(usage);
        for (const char option : "RwLcenP"s) EXPECT_TRUE(options.has(option)) << option;
        EXPECT_TRUE(options.estimates());
    }
    const auto options = parseSendUsage(fuse);
    EXPECT_TRUE(options.has('R'));
    for (const char option : "wLcenP"s) EXPECT_FALSE(options.has(option)) << option;
    EXPECT_FALSE(options.estimates());
}

TEST(Zfs, OtherFormsOfSendDoNotCount) {
    const auto options = parseSendUsage("usage:\n\tsend [-Rp] <snapshot>\n\tsend [-nP] -t <token>\n");
    EXPECT_TRUE(options.has('p'));
    EXPECT_FALSE(options.has('n'));
}

TEST(Zfs, UsageThatIsNotUnderstoodOffersNothing) {
    for (const auto* text : {"", "zfs: command not found", "send", "send [-"}) {
        EXPECT_FALSE(parseSendUsage(text).has('R')) << text;
    }
}

TEST(Zfs, EstimateIsTheLastSizeLine) {
    EXPECT_EQ(parseEstimate("full\ttank/data@a\t1234\nsize\t1234\n"), 1234U);
    EXPECT_EQ(parseEstimate("full\ttank@a\t1\nfull\ttank/b@a\t2\nsize\t18446744073709551615"), 18446744073709551615U);
    EXPECT_EQ(parseEstimate("size\t5\nsize\t7\n"), 7U);
}

TEST(Zfs, WhatIsNoEstimateIsNone) {
    for (const auto* text : {"", "size", "size\t", "size\tmany", "size\t-1", "size\t1.5G", "size\t18446744073709551616",
                             "full\ttank/resize\t12\n", "oversize\t12\n"}) {
        EXPECT_FALSE(parseEstimate(text)) << text;
    }
}

TEST(Zfs, PropertiesAreReadAsTheyAre) {
    const auto lines = parseProperties("tank/a@s\t0123\tlocal\ntank/a b@s\t0123\tinherited from tank\ntank@s\t-\t-\n");
    const std::vector<PropertyLine> expected{
        {"tank/a@s", "0123", "local"}, {"tank/a b@s", "0123", "inherited from tank"}, {"tank@s", "-", "-"}};
    EXPECT_EQ(lines, expected);
    EXPECT_TRUE(parseProperties("").empty());
}

TEST(Zfs, VersionIsWhatTheProgramTells) {
    EXPECT_EQ(parseVersion("zfs-2.1.11-1+deb12u1\nzfs-kmod-2.1.11-1+deb12u1\n"), "zfs-2.1.11-1+deb12u1");
    EXPECT_EQ(parseVersion("This system is currently running ZFS filesystem version 5.\n\nAll filesystems are"),
              "filesystem version 5");
    EXPECT_EQ(parseVersion("something else\n"), "");
    EXPECT_EQ(parseVersion(""), "");
}

TEST(Zfs, WhetherReceiveLeavesOutPropertiesIsReadFromItsUsage) {
    EXPECT_TRUE(canLeaveOut("usage:\n\treceive [-vMnsFhu]\n\t    [-o <property>=<value>] ... [-x <property>] ...\n"));
    EXPECT_FALSE(canLeaveOut("usage:\n\treceive [-vnsFu] [-o origin=<snapshot>] <filesystem|volume|snapshot>\n"));
    EXPECT_FALSE(canLeaveOut("usage:\n\treceive [-vnF] <filesystem|volume|snapshot>\n"));
}

TEST(Zfs, AMountpointFollowsTheName) {
    EXPECT_EQ(mountpointByName("tank/a/b", "tank", "/srv/tank"), "/srv/tank/a/b");
    EXPECT_EQ(mountpointByName("tank/a", "tank", "/"), "/a");
    EXPECT_EQ(mountpointByName("tank/a/b", "tank/a", "none"), "none");
    EXPECT_EQ(mountpointByName("tank/a/b", "tank/a", "legacy"), "legacy");
}

TEST(Zfs, AbsentIsToldFromUnknown) {
    EXPECT_TRUE(saysAbsent("cannot open 'tank/data@a': dataset does not exist"));
    EXPECT_TRUE(saysAbsent("cannot open 'tank': no such pool"));
    EXPECT_FALSE(saysAbsent("cannot open 'tank': pool I/O is currently suspended"));
    EXPECT_FALSE(
        saysAbsent("connect: No such file or directory\nPlease make sure that the zfs-fuse daemon is running."));
}

TEST(Zfs, FailuresAreToldApart) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"cannot open 'tank/x': dataset does not exist", "There is no such dataset"},
        {"cannot create snapshots : permission denied", "ZFS does not permit it"},
        {"connect: Permission denied\ninternal error: failed to initialize ZFS library", "ZFS does not permit it"},
        {"cannot destroy 'tank@a': dataset is busy", "Something uses it"},
        {"cannot create snapshot 'tank@a': out of space", "The pool is full"},
        {"warning: cannot send 'tank@a': No space left on device", "The pool is full"},
        {"invalid option 'w'\nusage:", "does not support this"},
        {"cannot hold: pool must be upgraded", "does not support this"},
        {"cannot send tank@a: encrypted dataset may not be sent with properties without the raw flag",
         "set raw to true"},
        {"The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root to load them.", "ZFS does not run"},
    };
    for (const auto& [said, meaning] : cases) {
        const auto sentence = explainZfs("make the snapshot tank@a", said);
        EXPECT_TRUE(sentence.starts_with("Could not make the snapshot tank@a. ")) << sentence;
        EXPECT_NE(sentence.find(meaning), sentence.npos) << sentence;
        EXPECT_NE(sentence.find(said), sentence.npos) << "what zfs said is never lost";
    }
    EXPECT_EQ(explainZfs("hold tank@a", "something new"), "Could not hold tank@a. zfs said: something new");
    EXPECT_EQ(explainZfs("hold tank@a", ""), "Could not hold tank@a. zfs did not say why.");
}

TEST(Zfs, EveryExampleOfTheManualIsAJob) {
    const auto page = readFile(HOLDFAST_SOURCE_DIR "/docs/zfs.md", 1 << 20);
    int examples = 0;
    for (auto begin = page.find("```json\n"); begin != page.npos; begin = page.find("```json\n", begin + 1)) {
        const auto end = page.find("\n```", begin);
        const auto job = parseJob(page.substr(begin + 8, end - begin - 8));
        EXPECT_EQ(job.sourceType(), SourceType::Zfs);
        ++examples;
    }
    EXPECT_GE(examples, 1);
}

} // namespace
} // namespace holdfast
