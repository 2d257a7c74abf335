#include "zfs_backup.hpp"

#include "transfer/orphans.hpp"
#include "transfer/prune.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

const Owner owner{"nightly", {"", "box"}};

Version only(const StoredBackup& backup) { return versionsOf({backup}, owner, today).front(); }

TEST(Versions, knowWhatTheyBuildOn) {
    const auto versions = versionsOf({stored(stream('2', '1')), stored(stream('1'))}, owner, today);
    EXPECT_EQ(versions[0].base, idOf('1'));
    EXPECT_EQ(versions[1].base, "");
    EXPECT_TRUE(versions[0].mayBeBase);
    EXPECT_EQ(versions[0].leftAlone + versions[1].leftAlone, "");
}

TEST(Versions, ofOthersAreLeftAlone) {
    auto other = stream('1');
    other.machine.host = "elsewhere";
    EXPECT_EQ(only(stored(other)).leftAlone, "made by another machine (elsewhere)");
    EXPECT_EQ(versionsOf({stored(stream('1'))}, {"weekly", {"", "box"}}, today).front().leftAlone, "another job's");
}

TEST(Versions, ofTheFutureAreLeftAlone) {
    auto future = stream('1');
    future.startedAt = today + 3600 * usecPerSec;
    EXPECT_EQ(only(stored(future)).leftAlone, "dated in the future");
}

TEST(Versions, ofAnotherMachineOfThatNameAreLeftAlone) {
    auto other = stream('1');
    other.machine.id = "4242";
    const Owner named{"nightly", {"1111", "box"}};
    EXPECT_EQ(versionsOf({stored(other)}, named, today).front().leftAlone, "made by another machine (box)");
    EXPECT_EQ(versionsOf({stored(stream('1'))}, named, today).front().leftAlone, "");
}

TEST(Versions, thatCannotBeReadAreLeftAlone) {
    const auto broken = only(readBackup("nightly-20261123T030000Z-11111111.zfs.manifest.json", "{"));
    EXPECT_TRUE(broken.unreadable);
    EXPECT_NE(broken.leftAlone, "");
    auto text = serialize(stream('1'));
    text.replace(text.find("\"version\": 1"), 12, "\"version\": 2");
    const auto newer = only(readBackup(stream('1').objects.front().name + manifestSuffix, text));
    EXPECT_TRUE(newer.unreadable);
    EXPECT_NE(newer.leftAlone.find("version"), std::string::npos);
    EXPECT_FALSE(only(readBackup("other-20261123T030000Z-11111111.zfs.manifest.json", "{")).unreadable);
}

TEST(Versions, withoutTheirBaseAreLeftAlone) {
    const auto versions = versionsOf({stored(stream('3', '2')), stored(stream('2', '1'))}, owner, today);
    EXPECT_NE(versions[0].leftAlone.find("cannot be restored"), std::string::npos);
    EXPECT_EQ(versions[0].base, idOf('2')) << "what is there of its chain stays";
    EXPECT_NE(versions[1].leftAlone.find("cannot be restored"), std::string::npos);
}

TEST(Versions, namedByNoRunAreLeftAlone) {
    auto odd = stream('1');
    odd.objects.front().name = "nightly-pictures-" + odd.run.substr(0, 8) + ".zfs";
    const auto backup = stored(odd);
    ASSERT_TRUE(backup.manifest);
    EXPECT_NE(only(backup).leftAlone, "");

    Manifest mirror = stream('1');
    mirror.source = "none";
    mirror.sourceFields = nullptr;
    mirror.stream.reset();
    mirror.copy = Manifest::Copy{"mirror", 1, 1, ""};
    mirror.objects = {{"nightly.mirror.files.jsonl", 1, "aa"}};
    const auto listed = readBackup("nightly.mirror.manifest.json", serialize(mirror));
    ASSERT_TRUE(listed.manifest);
    EXPECT_NE(only(listed).leftAlone.find("mirror"), std::string::npos);
}

constexpr USec late = 4'000'000'000 * usecPerSec;
const std::string stem = "nightly-20261123T030000Z-11111111";

std::vector<std::string> namesAmong(const std::vector<FolderEntry>& entries, USec olderThan = late) {
    std::vector<std::string> names;
    for (const auto& orphan : orphansAmong(entries, olderThan)) names.push_back(orphan.name);
    return names;
}

TEST(Orphans, areWhatHasNoManifest) {
    const std::vector<FolderEntry> entries{{stem + ".tar.zst", 7, false},
                                           {"other-20261123T030000Z-22222222.tar", 1, false},
                                           {"other-20261123T030000Z-22222222.tar.manifest.json", 1, false},
                                           {"docs-20261123T030000Z-33333333", 0, true},
                                           {"docs-20261123T030000Z-33333333.files.jsonl", 1, false},
                                           {"docs-20261123T030000Z-44444444", 0, true},
                                           {"docs-20261123T030000Z-44444444.manifest.json", 1, false}};
    EXPECT_EQ(namesAmong(entries), (std::vector<std::string>{entries[0].name, entries[3].name, entries[4].name}));
    const auto orphan = orphansAmong(entries, late).front();
    EXPECT_EQ(orphan.run.job, "nightly");
    EXPECT_EQ(orphan.size, 7U);
    EXPECT_FALSE(orphan.folder);
}

TEST(Orphans, areUploadsThatNeverEndedThoughThereIsABackup) {
    const auto orphans =
        orphansAmong({{stem + ".tar", 7}, {stem + ".tar.manifest.json", 1}, {stem + ".tar", 0, false, true}}, late);
    ASSERT_EQ(orphans.size(), 1U);
    EXPECT_TRUE(orphans.front().pending);
}

TEST(Orphans, ofUploadsAreThoseToTheFolder) {
    const std::string text = R"({"bucket": [{"Key": "backups/a.tar", "UploadId": "1"},
                                            {"Key": "backups-old/b.tar", "UploadId": "2"},
                                            {"Key": "backups/below/c.tar", "UploadId": "3"},
                                            {"Key": "d.tar", "UploadId": "4"}]})";
    const auto names = [&](const std::string& folder) {
        std::vector<std::string> found;
        for (const auto& upload : parsePendingUploads(text, folder, "ask")) found.push_back(upload.name);
        return found;
    };
    EXPECT_EQ(names("s3:bucket/backups"), std::vector<std::string>{"a.tar"});
    EXPECT_EQ(names("s3:bucket"), std::vector<std::string>{"d.tar"});
    EXPECT_EQ(names("s3:bucket/back"), std::vector<std::string>{});
    EXPECT_THROW(parsePendingUploads(R"({"bucket": [{}]})", "s3:bucket", "ask"), TransferError);
}

TEST(Orphans, areNothingThatARunWouldNotHaveMade) {
    EXPECT_TRUE(namesAmong({{"holiday.jpg", 1, false},
                            {"nightly.mirror.files.jsonl", 1, false},
                            {stem, 1, false},         // a version is a folder
                            {stem + ".tar", 0, true}, // a stream is a file
                            {stem + ".tar.bak", 1, false},
                            {stem + " (copy).tar", 1, false}})
                    .empty());
}

TEST(Orphans, areOldEnough) {
    const std::vector<FolderEntry> entries{{stem + ".tar", 1, false}};
    const auto begun = parseRunName(entries.front().name)->queuedAt;
    EXPECT_TRUE(namesAmong(entries, begun).empty());
    EXPECT_EQ(namesAmong(entries, begun + 1).size(), 1U);
}

} // namespace
} // namespace holdfast
