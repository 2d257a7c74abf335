// The rules that hold for a job as a whole, each from both sides.

#include "documents.hpp"

#include <map>
#include <set>

#include <gtest/gtest.h>

namespace holdfast::test {

using nlohmann::json;

namespace {

const std::string poolMessage =
    "Pool name must contain only alphanumeric characters, underscores, hyphens, and forward slashes";
const std::string zfs = "/preprocessConfig/zfs/";
const std::string flash = "/preprocessConfig/flash/";
const std::string script = "/preprocessConfig/script/";
const std::string docker = "/preprocessConfig/docker/";

} // namespace

TEST(Rules, MinimalJobsOfEverySourceAreValid) {
    for (const auto* type : {"none", "zfs", "flash", "script", "docker"}) {
        EXPECT_EQ(problemsOf(minimal(type)), std::vector<Problem>{}) << type;
    }
}

TEST(Rules, RequiredFields) {
    EXPECT_EQ(problemsOf(without(minimal("none"), "/name")),
              (std::vector<Problem>{{"/name", "required", "name is required"}}));
    EXPECT_EQ(problemsOf(without(minimal("none"), "/remoteName")),
              (std::vector<Problem>{{"/remoteName", "required", "remoteName is required"}}));
    EXPECT_EQ(problemsOf(without(minimal("zfs"), zfs + "poolName")),
              (std::vector<Problem>{{zfs + "poolName", "required", "poolName is required"}}));
    EXPECT_EQ(problemsOf(without(minimal("script"), script + "scriptPath")),
              (std::vector<Problem>{{script + "scriptPath", "required", "scriptPath is required"}}));
    EXPECT_EQ(problemsOf(without(minimal("docker"), docker + "containerName")),
              (std::vector<Problem>{{"/preprocessConfig/docker", "required",
                                     "At least one of containerName and volumeName is required"}}));
}

TEST(Rules, KeepIsForWhatHasVersions) {
    const json rules{{"last", 7}, {"daily", 14}, {"weekly", 8}, {"monthly", 12}, {"yearly", 3}};
    const std::vector<Problem> mirror{
        {"/keep", "keep-mirror",
         "keep cannot be used with a mirror, which has no versions: set layout to \"versions\""}};
    const auto plain = with(minimal("none"), "/keep", rules);
    EXPECT_EQ(problemsOf(plain), mirror);
    EXPECT_EQ(problemsOf(without(plain, "/preprocessType")), mirror);
    EXPECT_EQ(problemsOf(with(plain, "/layout", "mirror")), mirror);
    EXPECT_TRUE(problemsOf(with(plain, "/layout", "versions")).empty());
    for (const auto* type : {"zfs", "flash", "script", "docker"}) {
        EXPECT_TRUE(problemsOf(with(minimal(type), "/keep", rules)).empty()) << type;
    }
}

TEST(Rules, KeepKeepsSomething) {
    const auto job = minimal("zfs");
    EXPECT_EQ(codesOf(with(job, "/keep", json::object())), (std::vector<std::string>{"/keep required"}));
    EXPECT_EQ(codesOf(with(job, "/keep/last", 0)), (std::vector<std::string>{"/keep/last range"}));
    EXPECT_EQ(codesOf(with(job, "/keep/daily", 1.5)), (std::vector<std::string>{"/keep/daily type"}));
    EXPECT_EQ(codesOf(with(job, "/keep/hourly", 1)),
              (std::vector<std::string>{"/keep required", "/keep/hourly unknown-field"}));
    EXPECT_EQ(parseJob(with(job, "/keep/weekly", 8)).keep,
              (Keep{.last = 0, .daily = 0, .weekly = 8, .monthly = 0, .yearly = 0}));
    EXPECT_FALSE(parseJob(job).keep);
}

TEST(Rules, SourcePathIsNeededForPlainJobsOnly) {
    const std::vector<Problem> missing{
        {"/sourcePath", "required", "Source path is required when preprocessType is \"none\""}};
    EXPECT_EQ(problemsOf(without(minimal("none"), "/sourcePath")), missing);
    EXPECT_EQ(problemsOf(json{{"name", "a"}, {"remoteName", "b2"}}), missing);
    EXPECT_TRUE(problemsOf(minimal("flash")).empty());
}

TEST(Rules, ConfigurationIsNeededForItsType) {
    const std::map<std::string, std::string> titles{{"zfs", "ZFS"}, {"script", "Script"}, {"docker", "Docker"}};
    for (const auto& [type, title] : titles) {
        const Problem none{
            "/preprocessConfig", "required",
            "Preprocessing configuration is required when preprocessType is \"zfs\", \"script\" or \"docker\""};
        const Problem specific{"/preprocessConfig/" + type, "required",
                               title + " configuration is required when preprocessType is \"" + type + "\""};
        EXPECT_EQ(problemsOf(without(minimal(type), "/preprocessConfig")), (std::vector<Problem>{none, specific}));
        EXPECT_EQ(problemsOf(without(minimal(type), "/preprocessConfig/" + type)), (std::vector<Problem>{specific}));
        EXPECT_EQ(problemsOf(with(minimal(type), "/preprocessConfig/" + type, nullptr)),
                  (std::vector<Problem>{specific}));
    }
}

TEST(Rules, ConfigurationMayBeAbsentWhereEveryMemberHasADefault) {
    const auto whole = minimal("flash");
    const auto other = with(without(whole, "/preprocessConfig"), "/preprocessConfig/zfs/poolName", "tank");
    for (const auto& job : {without(whole, "/preprocessConfig"), without(whole, "/preprocessConfig/flash"),
                            with(whole, "/preprocessConfig/flash", nullptr), other}) {
        EXPECT_TRUE(problemsOf(job).empty()) << job;
        EXPECT_EQ(std::get<FlashConfig>(parseJob(job).source).gitPath, "/boot/.git") << job;
    }
}

TEST(Rules, EverySubConfigurationIsCheckedWhateverTheType) {
    EXPECT_EQ(codesOf(with(minimal("flash"), zfs + "poolName", "/tank")),
              std::vector<std::string>{zfs + "poolName pool-name"});
    EXPECT_EQ(codesOf(with(minimal("none"), script + "scriptPath", "/a.exe")),
              std::vector<std::string>{script + "scriptPath script-extension"});
    EXPECT_EQ(codesOf(with(minimal("none"), flash + "gitPath", "/boot")),
              std::vector<std::string>{flash + "gitPath git-path"});
}

TEST(Rules, CachePathOnlyWithoutStreaming) {
    const auto cached = with(minimal("flash"), flash + "localCachePath", "/var/cache/flash.tar");
    const std::vector<Problem> refused{
        {flash + "localCachePath", "cache-path", "localCachePath can only be used when streamDirect is false"}};
    EXPECT_EQ(problemsOf(cached), refused);
    EXPECT_EQ(problemsOf(with(cached, flash + "streamDirect", true)), refused);
    EXPECT_TRUE(problemsOf(with(cached, flash + "streamDirect", false)).empty());

    const auto uncached = with(minimal("flash"), flash + "streamDirect", false);
    EXPECT_EQ(
        problemsOf(with(uncached, flash + "localCachePath", "cache.tar")),
        (std::vector<Problem>{{flash + "localCachePath", "pattern", "Local cache path must be an absolute path"}}));
    EXPECT_EQ(codesOf(with(uncached, flash + "localCachePath", "/a/../b")),
              std::vector<std::string>{flash + "localCachePath dot-segment"});
}

TEST(Rules, PoolNameWithDotsFailsBothOfTheSeedsRules) {
    EXPECT_EQ(problemsOf(with(minimal("zfs"), zfs + "poolName", "tank/../x")),
              (std::vector<Problem>{{zfs + "poolName", "pattern", poolMessage},
                                    {zfs + "poolName", "pool-name", "Invalid ZFS pool name format"}}));
}

TEST(Rules, LayoutBelongsToPlainJobs) {
    EXPECT_EQ(problemsOf(with(minimal("zfs"), "/layout", "versions")),
              (std::vector<Problem>{{"/layout", "layout", "layout can only be used when preprocessType is \"none\""}}));
    EXPECT_TRUE(problemsOf(without(with(minimal("none"), "/layout", "versions"), "/preprocessType")).empty());
    const auto followed = [](const char* type) {
        return problemsOf(with(minimal(type), "/rcloneOptions", nlohmann::json{{"copy-links", true}}));
    };
    EXPECT_TRUE(followed("none").empty());
    ASSERT_EQ(followed("script").size(), 1U);
    EXPECT_EQ(followed("script").front().pointer, "/rcloneOptions/copy-links");
}

TEST(Rules, IncrementalSaysWhetherAndHowLongChainsAre) {
    const auto incremental = zfs + "incremental";
    EXPECT_EQ(codesOf(with(minimal("zfs"), incremental, json::object())),
              std::vector<std::string>{incremental + "/enabled required"});
    for (const auto& wrong : {json(1), json(1001), json(2.5), json("30")}) {
        const json value{{"enabled", true}, {"fullEvery", wrong}};
        EXPECT_EQ(codesOf(with(minimal("zfs"), incremental, value)).size(), 1U) << wrong;
    }
    const auto configOf = [&](const json& value) {
        return std::get<ZfsConfig>(parseJob(with(minimal("zfs"), incremental, value)).source);
    };
    EXPECT_FALSE(std::get<ZfsConfig>(parseJob(minimal("zfs")).source).incremental);
    EXPECT_TRUE(configOf({{"enabled", true}}).incremental);
    EXPECT_EQ(configOf({{"enabled", true}}).fullEvery, 30U);
    EXPECT_EQ(configOf({{"enabled", true}, {"fullEvery", 2}}).fullEvery, 2U);
    EXPECT_FALSE(configOf({{"enabled", false}}).incremental);
}

TEST(Rules, UnknownFieldsAreRefusedEverywhere) {
    const std::vector<std::pair<std::string, std::string>> places{
        {"none", "/bogus"},         {"none", "/preprocessConfig/bogus"}, {"zfs", zfs + "bogus"},
        {"flash", flash + "bogus"}, {"script", script + "bogus"},        {"docker", docker + "bogus"},
        {"none", "/limits/bogus"},  {"none", "/rcloneOptions/config"},   {"none", "/rcloneOptions/password-command"}};
    for (const auto& [type, pointer] : places) {
        EXPECT_EQ(codesOf(with(minimal(type), pointer, 1)), std::vector<std::string>{pointer + " unknown-field"});
    }
    EXPECT_EQ(problemsOf(with(minimal("zfs"), zfs + "pool", "x")).at(0).message,
              "There is no field \"pool\" here; the fields are: compressionLevel, incremental, poolName, raw, "
              "recursive, snapshotName, "
              "streamDirect");
    EXPECT_EQ(codesOf(with(minimal("none"), "/a~1b~0c", 1)), std::vector<std::string>{"/a~1b~0c unknown-field"});
}

TEST(Rules, EverythingIsReportedAtOnce) {
    const json document{{"name", "a/b"},
                        {"remoteName", ":local:/etc"},
                        {"destinationPath", "/x"},
                        {"schedule", "99 * * * *"},
                        {"preprocessType", "zfs"},
                        {"preprocessTimeout", 0},
                        {"limits", {{"memoryMax", "50%"}, {"cpuQuota", 2}}},
                        {"preprocessConfig", {{"flash", {{"gitPath", "/x"}}}}},
                        {"more", 1}};
    const std::set<std::string> expected{"/name pattern",
                                         "/remoteName connection-string",
                                         "/remoteName pattern",
                                         "/destinationPath not-relative",
                                         "/schedule schedule",
                                         "/preprocessTimeout range",
                                         "/limits/memoryMax limit",
                                         "/limits/cpuQuota type",
                                         "/preprocessConfig/zfs required",
                                         "/preprocessConfig/flash/gitPath git-path",
                                         "/more unknown-field"};
    const auto codes = codesOf(document);
    EXPECT_EQ(std::set<std::string>(codes.begin(), codes.end()), expected);
    EXPECT_EQ(codes.size(), expected.size());
}

TEST(Rules, WrongTypesForEveryField) {
    json whole = minimal("none");
    for (const auto* type : {"zfs", "flash", "script", "docker"}) {
        whole["preprocessConfig"][type] = minimal(type)["preprocessConfig"][type];
    }
    const auto flat = with(whole, "/limits/tasksMax", 1).flatten();
    std::vector<std::string> pointers{"/preprocessConfig", "/limits",          "/rcloneOptions", "/enabled",
                                      "/schedule",         "/destinationPath", "/layout",        zfs + "streamDirect",
                                      flash + "gitPath"};
    for (const auto& [pointer, unused] : flat.items()) pointers.push_back(pointer);
    for (const auto* type : {"zfs", "flash", "script", "docker"})
        pointers.push_back(std::string("/preprocessConfig/") + type);
    for (const auto& pointer : pointers) {
        auto codes = codesOf(with(whole, pointer, json{{1, 2}, json::object()}));
        if (pointer == docker + "containerName") continue; // may be an array; its elements are looked at elsewhere
        EXPECT_NE(std::find(codes.begin(), codes.end(), pointer + " type"), codes.end()) << pointer;
    }
}

TEST(Rules, NullIsAbsent) {
    auto document = with(minimal("flash"), flash + "localCachePath", nullptr);
    document["limits"] = {{"memoryMax", nullptr}};
    document["schedule"] = nullptr;
    document["unknown"] = nullptr;
    ASSERT_EQ(problemsOf(document), std::vector<Problem>{});
    const auto job = parseJob(document);
    EXPECT_EQ(job.document(), with(minimal("flash"), "/limits", json::object()));
    EXPECT_EQ(codesOf(with(minimal("none"), "/name", nullptr)), std::vector<std::string>{"/name required"});
    EXPECT_EQ(codesOf(with(minimal("script"), script + "scriptArgs", json{nullptr})),
              std::vector<std::string>{script + "scriptArgs/0 type"});
}

} // namespace holdfast::test
