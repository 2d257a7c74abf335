#include "documents.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace holdfast::test {

using nlohmann::json;
using namespace std::string_literals;

TEST(Job, DefaultsOfTheSeed) {
    const auto job = parseJob(json{{"name", "a"}, {"remoteName", "b2"}, {"sourcePath", "/srv"}});
    EXPECT_EQ(job.sourceType(), SourceType::None);
    EXPECT_TRUE(job.enabled);
    EXPECT_TRUE(job.cleanupOnFailure);
    EXPECT_EQ(job.preprocessTimeout, 300 * usecPerSec);
    EXPECT_EQ(job.layout, "mirror");
    EXPECT_EQ(job.schedule, "");
    EXPECT_EQ(job.destinationPath, "");
    EXPECT_EQ(job.rcloneOptions, json::object());
    EXPECT_FALSE(job.limits.memoryMax || job.limits.runtimeMax || job.limits.tasksMax || job.limits.bandwidth);

    const auto flash = std::get<FlashConfig>(parseJob(minimal("flash")).source);
    EXPECT_EQ(flash.gitPath, "/boot/.git");
    EXPECT_TRUE(flash.streamDirect);
    EXPECT_TRUE(flash.includeGitHistory);
    EXPECT_EQ(flash.commitMessage, "Backup via comprehensive backup system");
    EXPECT_FALSE(flash.compressionLevel || flash.localCachePath || flash.profile);

    const auto zfs = std::get<ZfsConfig>(parseJob(minimal("zfs")).source);
    EXPECT_TRUE(zfs.streamDirect);
    EXPECT_FALSE(zfs.snapshotName || zfs.compressionLevel);
    EXPECT_FALSE(zfs.recursive || zfs.raw);
}

TEST(Job, EveryFieldArrives) {
    const auto job =
        parseJob(R"({"name": "n", "enabled": false, "schedule": "daily", "randomizedDelay": "15min", "remoteName": "b2",
        "destinationPath": "x/y", "sourcePath": "/srv", "rcloneOptions": {"transfers": 2}, "layout": "versions",
        "preprocessType": "none", "preprocessTimeout": 1.5, "cleanupOnFailure": false,
        "limits": {"memoryMax": "1G", "cpuQuota": "200%", "runtimeMax": "12h", "tasksMax": 256, "bandwidth": "10M"}})"s);
    EXPECT_EQ(job.name, "n");
    EXPECT_FALSE(job.enabled);
    EXPECT_EQ(job.schedule, "daily");
    EXPECT_EQ(job.randomizedDelay, 900 * usecPerSec);
    EXPECT_EQ(job.destination(), "b2:x/y");
    EXPECT_EQ(job.sourcePath, "/srv");
    EXPECT_EQ(job.rcloneOptions, (json{{"transfers", 2}}));
    EXPECT_EQ(job.layout, "versions");
    EXPECT_EQ(job.preprocessTimeout, 1'500'000U);
    EXPECT_FALSE(job.cleanupOnFailure);
    EXPECT_EQ(job.limits.memoryMax, 1ULL << 30);
    EXPECT_EQ(job.limits.cpuQuotaPerSecUSec, 2'000'000U);
    EXPECT_EQ(job.limits.runtimeMax, 12 * 3600 * usecPerSec);
    EXPECT_EQ(job.limits.tasksMax, 256U);
    EXPECT_EQ(job.limits.bandwidth, 10ULL << 20);
}

TEST(Job, SourcesArrive) {
    const auto flash = std::get<FlashConfig>(
        parseJob(R"({"name": "n", "remoteName": "b", "preprocessType": "flash", "preprocessConfig": {"flash": {
            "gitPath": "/mnt/.git", "compressionLevel": 4, "streamDirect": false, "localCachePath": "/var/x.tar",
            "commitMessage": "m", "includeGitHistory": false, "profile": "plain"}}})"s)
            .source);
    EXPECT_EQ(flash.gitPath, "/mnt/.git");
    EXPECT_EQ(flash.compressionLevel, 4);
    EXPECT_FALSE(flash.streamDirect);
    EXPECT_EQ(flash.localCachePath, "/var/x.tar");
    EXPECT_EQ(flash.commitMessage, "m");
    EXPECT_FALSE(flash.includeGitHistory);
    EXPECT_EQ(flash.profile, "plain");

    const auto zfs = std::get<ZfsConfig>(
        parseJob(R"({"name": "n", "remoteName": "b", "preprocessType": "zfs", "preprocessConfig": {"zfs": {
            "poolName": "tank", "snapshotName": "s", "streamDirect": false, "compressionLevel": 9,
            "recursive": true, "raw": true}}})"s)
            .source);
    EXPECT_EQ(zfs.poolName, "tank");
    EXPECT_EQ(zfs.snapshotName, "s");
    EXPECT_FALSE(zfs.streamDirect);
    EXPECT_EQ(zfs.compressionLevel, 9);
    EXPECT_TRUE(zfs.recursive && zfs.raw);

    const auto script = std::get<ScriptConfig>(
        parseJob(R"({"name": "n", "remoteName": "b", "preprocessType": "script", "preprocessConfig": {"script": {
            "scriptPath": "/a.sh", "scriptArgs": ["-v", "$X"], "workingDirectory": "/w", "timeout": 7,
            "readPaths": ["/home/a"], "readAll": true, "network": true, "outputMax": "2K"}}})"s)
            .source);
    EXPECT_EQ(script.scriptPath, "/a.sh");
    EXPECT_EQ(script.scriptArgs, (std::vector<std::string>{"-v", "$X"}));
    EXPECT_EQ(script.workingDirectory, "/w");
    EXPECT_EQ(script.timeout, 7);
    EXPECT_EQ(script.readPaths, std::vector<std::string>{"/home/a"});
    EXPECT_TRUE(script.readAll && script.network);
    EXPECT_EQ(script.outputMax, 2048U);
    EXPECT_EQ(std::get<ScriptConfig>(parseJob(minimal("script")).source).readPaths, std::vector<std::string>{});

    const auto docker = std::get<DockerConfig>(
        parseJob(R"({"name": "n", "remoteName": "b", "preprocessType": "docker", "preprocessConfig": {"docker": {
            "containerName": "web", "volumeName": ["a", "b"], "engineSocket": "/run/x.sock"}}})"s)
            .source);
    EXPECT_EQ(docker.containerName, std::vector<std::string>{"web"});
    EXPECT_EQ(docker.volumeName, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(docker.engineSocket, "/run/x.sock");
}

TEST(Job, DocumentIsParsedAgainToTheSame) {
    for (const auto* type : {"none", "zfs", "flash", "script", "docker"}) {
        auto written = minimal(type);
        written["limits"] = {{"memoryMax", "1.5G"}};
        written["schedule"] = "0 3 * * 1";
        const auto job = parseJob(written);
        EXPECT_EQ(job.document(), written);
        const auto again = parseJob(json::parse(job.document().dump()));
        EXPECT_EQ(again.document(), job.document());
        EXPECT_EQ(again.sourceType(), job.sourceType());
        EXPECT_STREQ(toString(job.sourceType()), type);
    }
}

TEST(Job, DescribesItsSource) {
    EXPECT_EQ(parseJob(minimal("none")).sourceDescription(), "/srv/data");
    EXPECT_EQ(parseJob(minimal("zfs")).sourceDescription(), "tank/data");
    EXPECT_EQ(parseJob(minimal("flash")).sourceDescription(), "/boot/.git");
    EXPECT_EQ(parseJob(minimal("script")).sourceDescription(), "/opt/dump.sh");
    EXPECT_EQ(parseJob(with(minimal("docker"), "/preprocessConfig/docker/volumeName", json{"data", "logs"}))
                  .sourceDescription(),
              "web, data, logs");
}

TEST(Job, StreamsOrCopies) {
    EXPECT_FALSE(parseJob(minimal("none")).streams());
    EXPECT_FALSE(parseJob(minimal("script")).streams());
    for (const auto* type : {"zfs", "flash", "docker"}) EXPECT_TRUE(parseJob(minimal(type)).streams()) << type;
    EXPECT_TRUE(parseJob(with(minimal("flash"), "/preprocessConfig/flash/streamDirect", false)).streams());
}

TEST(Job, CompressionLevelOfItsSource) {
    EXPECT_EQ(parseJob(minimal("flash")).compressionLevel(), std::nullopt);
    EXPECT_EQ(parseJob(with(minimal("flash"), "/preprocessConfig/flash/compressionLevel", 3)).compressionLevel(), 3);
    EXPECT_EQ(parseJob(with(minimal("zfs"), "/preprocessConfig/zfs/compressionLevel", 9)).compressionLevel(), 9);
    EXPECT_EQ(parseJob(with(minimal("none"), "/preprocessConfig/zfs", json{{"poolName", "t"}, {"compressionLevel", 9}}))
                  .compressionLevel(),
              std::nullopt);
}

TEST(Job, InfinityIsTheLargestNumber) {
    const auto limits =
        parseJob(with(minimal("none"), "/limits",
                      json{{"memoryMax", "infinity"}, {"tasksMax", "infinity"}, {"runtimeMax", "infinity"}}))
            .limits;
    EXPECT_EQ(limits.memoryMax, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(limits.tasksMax, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(limits.runtimeMax, std::numeric_limits<std::uint64_t>::max());
}

TEST(Job, TinyTimeoutIsNotZero) {
    EXPECT_EQ(parseJob(with(minimal("none"), "/preprocessTimeout", 1e-9)).preprocessTimeout, 1U);
}

TEST(InvalidJob, ListsAllProblemsOneALine) {
    const InvalidJob invalid({{"/a", "x", "A is wrong"}, {"", "y", "All is wrong"}});
    EXPECT_STREQ(invalid.what(), "/a: A is wrong\nAll is wrong");
}

} // namespace holdfast::test
