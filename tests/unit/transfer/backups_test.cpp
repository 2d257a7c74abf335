#include "zfs_backup.hpp"

#include "util/error.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

std::string chainError(const std::vector<StoredBackup>& backups, std::size_t of) {
    try {
        chainOf(backups, backups.at(of));
        return "";
    } catch (const Error& e) {
        return e.what();
    }
}

TEST(Backups, areReadUnderTheirOwnNameOnly) {
    EXPECT_TRUE(stored(stream('1')).manifest);
    const auto swapped = readBackup(nameOf(stream('2')), serialize(stream('1')));
    EXPECT_FALSE(swapped.manifest);
    EXPECT_NE(swapped.problem.find("swapped or renamed"), std::string::npos);
}

TEST(Backups, nameObjectsBesideThemOnly) {
    for (const char* name : {"../other", "other", "/etc/passwd"}) {
        auto m = stream('1');
        const auto manifestName = nameOf(m);
        m.objects.front().name = name;
        EXPECT_FALSE(readBackup(manifestName, serialize(m)).manifest) << name;
    }
    auto m = stream('1');
    const auto manifestName = nameOf(m);
    m.objects.front().name += "/../../other";
    EXPECT_FALSE(readBackup(manifestName, serialize(m)).manifest);
}

TEST(Backups, ofNoJobThatCouldBeAreRefused) {
    auto m = stream('1');
    m.job = "night\nly";
    m.objects.front().name = "night\nly-" + m.run.substr(0, 8) + ".zfs";
    EXPECT_FALSE(readBackup(nameOf(m), serialize(m)).manifest);
}

TEST(Backups, thatCannotBeReadBelongToTheJobThatTheirNameTells) {
    const auto broken = readBackup("nightly-20261123T030000Z-11111111.zfs.manifest.json", "{");
    EXPECT_FALSE(broken.manifest);
    EXPECT_TRUE(isNamedAfter(broken, "nightly"));
    EXPECT_FALSE(isNamedAfter(broken, "night"));
    EXPECT_FALSE(isNamedAfter(readBackup("nightly-b-20261123T030000Z-11111111.tar.manifest.json", "{"), "nightly"));
    EXPECT_TRUE(isNamedAfter(readBackup("nightly.mirror.manifest.json", "{"), "nightly"));
}

TEST(Backups, newestOfAJob) {
    const std::vector<StoredBackup> backups{stored(stream('2')), stored(stream('1'))};
    const Owner owner{backups.front().manifest->job, {"", "box"}};
    EXPECT_EQ(newestOf(backups, owner, today), &backups.front());
    EXPECT_EQ(newestOf(backups, {"another", owner.machine}, today), nullptr);
    EXPECT_EQ(newestOf({}, owner, today), nullptr);
}

TEST(Backups, anotherMachinesAreNotTheNewestOfAJob) {
    auto newer = stream('2');
    newer.machine = {"4242", "box"};
    const std::vector<StoredBackup> backups{stored(newer), stored(stream('1'))};
    const Owner owner{newer.job, {"1111", "box"}};
    EXPECT_EQ(newestOf(backups, owner, today), &backups.back()) << "of old ones the host tells";
    EXPECT_EQ(newestOf({backups.front()}, owner, today), nullptr) << "the host's name is no proof";
    EXPECT_EQ(newestOf(backups, {newer.job, {"4242", "renamed"}}, today), &backups.front());
    EXPECT_NE(whyNoneOf({backups.front()}, owner, "r:b").find("another machine (box)"), std::string::npos);
}

TEST(Backups, ofTheFutureAreNotTheNewest) {
    auto future = stream('2');
    future.startedAt = today + 3600 * usecPerSec;
    const std::vector<StoredBackup> backups{stored(future), stored(stream('1'))};
    const Owner owner{future.job, {"", "box"}};
    EXPECT_EQ(newestOf(backups, owner, today), &backups.back());
    EXPECT_EQ(newestOf(backups, owner, future.startedAt), &backups.front());
    EXPECT_NE(whyNoneOf({backups.front()}, owner, "r:b").find("dated in the future"), std::string::npos);
}

TEST(Backups, newestThatCannotBeReadIsNotPassedOver) {
    std::vector<StoredBackup> backups{stored(stream('1'))};
    const auto job = backups.front().manifest->job;
    const Owner owner{job, {"", "box"}};
    backups.push_back(readBackup(job + "-20200101T000000Z-22222222.tar.manifest.json", "{"));
    EXPECT_EQ(newestOf(backups, owner, today), &backups.front()) << "an older one does not matter";
    const auto newer = job + "-20261123T040000Z-22222222.tar.manifest.json";
    backups.push_back(readBackup(newer, "{"));
    try {
        newestOf(backups, owner, today);
        FAIL();
    } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find(newer), std::string::npos);
    }
}

TEST(Backups, chainBeginsWithTheFullOne) {
    const std::vector<StoredBackup> backups{stored(stream('3', '2')), stored(stream('1')), stored(stream('2', '1'))};
    const auto chain = chainOf(backups, backups.front());
    ASSERT_EQ(chain.size(), 3U);
    EXPECT_EQ(chain[0]->manifest->run, idOf('1'));
    EXPECT_EQ(chain[2]->manifest->run, idOf('3'));
    EXPECT_EQ(chainOf(backups, backups[1]).size(), 1U);
}

TEST(Backups, missingLinkIsNamed) {
    const std::vector<StoredBackup> backups{stored(stream('3', '2')), stored(stream('1'))};
    EXPECT_NE(chainError(backups, 0).find(idOf('2')), std::string::npos);
}

TEST(Backups, linkThatIsAnotherSnapshotIsFound) {
    auto wrong = stream('1');
    wrong.sourceFields["guid"] = "9";
    const std::vector<StoredBackup> backups{stored(stream('2', '1')), stored(wrong)};
    EXPECT_NE(chainError(backups, 0).find("GUID"), std::string::npos);
}

TEST(Backups, linkWithoutARunIsFoundByItsSnapshot) {
    auto increment = stream('2', '1');
    increment.sourceFields.erase("baseRun");
    const std::vector<StoredBackup> backups{stored(increment), stored(stream('1'))};
    EXPECT_EQ(chainOf(backups, backups.front()).size(), 2U);
}

TEST(Backups, chainThatGoesInCirclesEnds) {
    const std::vector<StoredBackup> backups{stored(stream('1', '2')), stored(stream('2', '1'))};
    EXPECT_NE(chainError(backups, 0).find("each other"), std::string::npos);
}

TEST(Backups, foldersThatHoldThemAreFoundByTheirManifests) {
    using Paths = std::vector<std::string>;
    EXPECT_EQ(foldersWithManifests({}), Paths{});
    EXPECT_EQ(
        foldersWithManifests({"b/x.manifest.json", "y.manifest.json", "a/c/z.manifest.json", "b/w.manifest.json"}),
        (Paths{"", "a/c", "b"}));
    EXPECT_EQ(foldersWithManifests({"b/v-1.manifest.json", "b/v-1/old/file.manifest.json", "b/v-10/x.manifest.json"}),
              (Paths{"b", "b/v-10"}))
        << "what lies in a version was backed up";
}

} // namespace
} // namespace holdfast
