#include "source/zfs_chain.hpp"

#include "../temporary_folder.hpp"
#include "util/file.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

const auto earlierRun = std::string(32, 'b');

nlohmann::json someDocument() {
    return {{"name", "hourly"},
            {"remoteName", "b2"},
            {"destinationPath", "backups/tank"},
            {"preprocessType", "zfs"},
            {"preprocessConfig",
             {{"zfs", {{"poolName", "tank/data"}, {"incremental", {{"enabled", true}, {"fullEvery", 5}}}}}}}};
}

ZfsBase someBase() {
    ZfsBase base;
    base.run = earlierRun;
    base.snapshot = {"tank/data", "hourly-1", false};
    base.guid = "123";
    base.depth = 2;
    base.manifest = "b2:backups/tank/hourly-20261123T120000Z-bbbbbbbb.zfs.manifest.json";
    base.startedAt = 42;
    return base;
}

Manifest itsManifest() {
    Manifest manifest;
    manifest.run = earlierRun;
    manifest.sourceFields = {{"guid", "123"}};
    return manifest;
}

/// A job's next run, with what is recorded of the last one.
class Chain {
  public:
    explicit Chain(const std::string& record, const nlohmann::json& document = someDocument()) {
        paths_.state = folder_ / "state";
        if (!record.empty()) {
            std::filesystem::create_directories(paths_.base("hourly").parent_path());
            replaceFile(paths_.base("hourly"), record, Durability::Volatile);
        }
        plan_ = planRun(parseJob(document), Settings{}, 0);
        chain.emplace(plan_, paths_);
    }

  private:
    const TemporaryFolder folder_;
    Paths paths_;
    Plan plan_;

  public:
    std::optional<ZfsChain> chain;
};

nlohmann::json changed(const std::string& pointer, const nlohmann::json& value) {
    auto document = someDocument();
    document[nlohmann::json::json_pointer(pointer)] = value;
    return document;
}

bool sendsAllFor(const Chain& subject, const std::string& why) {
    EXPECT_FALSE(subject.chain->base());
    EXPECT_EQ(subject.chain->depth(), 0U);
    EXPECT_NE(subject.chain->whyFull().find(why), std::string::npos) << subject.chain->whyFull();
    return true;
}

TEST(ZfsChain, BaseIsReadAsItWasWritten) {
    const Chain subject(toJson(someBase()).dump());
    ASSERT_TRUE(subject.chain->base());
    EXPECT_EQ(toJson(*subject.chain->base()), toJson(someBase()));
    EXPECT_EQ(subject.chain->base()->full(), "tank/data@hourly-1");
    EXPECT_EQ(subject.chain->depth(), 3U);
    EXPECT_EQ(subject.chain->manifest(), someBase().manifest);
    EXPECT_EQ(subject.chain->whyFull(), "");
}

TEST(ZfsChain, ABookmarkHasItsOwnName) {
    auto base = someBase();
    base.bookmarked = true;
    EXPECT_EQ(base.full(), "tank/data#hourly-1");
}

TEST(ZfsChain, WithoutABaseAllIsSent) { EXPECT_TRUE(sendsAllFor(Chain(""), "No earlier backup")); }

TEST(ZfsChain, ARecordThatIsNotOneIsNoBase) {
    for (const auto* text : {"{", "{}", "[]", "null"}) EXPECT_TRUE(sendsAllFor(Chain(text), "cannot be understood"));
    auto record = toJson(someBase());
    record["run"] = "../x";
    const Chain subject(record.dump());
    EXPECT_TRUE(sendsAllFor(subject, "is not the id of a run"));
    EXPECT_TRUE(subject.chain->hasRecord()) << "so that the next hand-over replaces it";
}

TEST(ZfsChain, AChangedJobSendsAll) {
    const auto record = toJson(someBase()).dump();
    const std::string zfs = "/preprocessConfig/zfs/";
    EXPECT_TRUE(sendsAllFor(Chain(record, changed(zfs + "poolName", "tank/other")), "was of tank/data"));
    EXPECT_TRUE(sendsAllFor(Chain(record, changed(zfs + "recursive", true)), "recursive was changed"));
    EXPECT_TRUE(sendsAllFor(Chain(record, changed(zfs + "raw", true)), "raw was changed"));
    EXPECT_TRUE(sendsAllFor(Chain(record, changed("/remoteName", "s3")), "went to b2:backups/tank/"));
    EXPECT_TRUE(sendsAllFor(Chain(record, changed("/destinationPath", "backups")), "went to b2:backups/tank/"));
}

TEST(ZfsChain, IsNeverLongerThanAllowed) {
    for (const std::uint32_t fullEvery : {2U, 3U, 4U}) {
        auto base = someBase();
        base.depth = fullEvery - 2;
        const auto document = changed("/preprocessConfig/zfs/incremental/fullEvery", fullEvery);
        EXPECT_EQ(Chain(toJson(base).dump(), document).chain->depth(), fullEvery - 1);
        base.depth = fullEvery - 1;
        EXPECT_TRUE(sendsAllFor(Chain(toJson(base).dump(), document), "the turn of a full one"));
    }
}

TEST(ZfsChain, TheLastBackupMustBeAtTheDestination) {
    const auto record = toJson(someBase()).dump();
    Chain whole(record);
    whole.chain->found(itsManifest());
    EXPECT_TRUE(whole.chain->base());

    Chain gone(record);
    gone.chain->found(std::nullopt);
    EXPECT_TRUE(sendsAllFor(gone, "no longer at the destination"));

    Chain replaced(record);
    auto manifest = itsManifest();
    manifest.run = std::string(32, 'c');
    replaced.chain->found(manifest);
    EXPECT_TRUE(sendsAllFor(replaced, "no longer at the destination"));

    Chain other(record);
    manifest = itsManifest();
    manifest.sourceFields = {{"guid", "124"}};
    other.chain->found(manifest);
    EXPECT_TRUE(sendsAllFor(other, "no longer at the destination"));
}

TEST(ZfsChain, SwitchedOffItOnlyKnowsWhatIsToBeGivenBack) {
    const Chain subject(toJson(someBase()).dump(), changed("/preprocessConfig/zfs/incremental/enabled", false));
    EXPECT_FALSE(subject.chain->base());
    EXPECT_TRUE(subject.chain->hasRecord());
    EXPECT_TRUE(subject.chain->recorded());
    EXPECT_EQ(subject.chain->whyFull(), "");
}

} // namespace
} // namespace holdfast
