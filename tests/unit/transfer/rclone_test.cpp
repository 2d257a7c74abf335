#include "transfer/copy.hpp"
#include "transfer/rclone.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

/// What is told of a call that failed with these words.
std::string told(const std::string& words) { return rcloneFailure("write b2:x", ExitStatus(1 << 8), words).what(); }

TEST(RcloneFailure, tellsTheReasonThatS3HasOnTheLineBefore) {
    EXPECT_EQ(told("2026/11/26 01:22:35 ERROR : y: Failed to copy: NoSuchBucket: The bucket\n\tstatus code: 404, id: \n"
                   "2026/11/26 01:22:35 Failed to rcat: AccessDenied: Access Denied\n\tstatus code: 403, host id: "),
              "Could not write b2:x: Failed to rcat: AccessDenied: Access Denied status code: 403, host id:.");
}

TEST(RcloneFailure, tellsTheLastLineOfALogInJson) {
    EXPECT_EQ(told("{\"level\":\"notice\",\"msg\":\"other\",\"object\":\"a\"}\n"
                   "{\"level\":\"error\",\"msg\":\"Failed to copy: no\",\"object\":\"b\"}\n"
                   "{\"level\":\"notice\",\"msg\":\"\\nTransferred\",\"stats\":{}}"),
              "Could not write b2:x: b: Failed to copy: no.");
    EXPECT_EQ(told("{\"level\":\"error\",\"msg\":\"x\"}\n2026/11/26 01:22:35 Failed to copy: why\n"),
              "Could not write b2:x: Failed to copy: why.");
}

TEST(RcloneFailure, isShort) { EXPECT_LT(told("2026/11/26 01:22:35 " + std::string(10'000, 'x')).size(), 1200U); }

TEST(RcloneFailure, explainsWhatCannotBeDoneHere) {
    const auto encrypted = told("2026/11/26 01:22:35 Failed to load config file \"rclone.conf\": unable to decrypt "
                                "configuration and not allowed to ask for password - set RCLONE_CONFIG_PASS to your "
                                "configuration password");
    EXPECT_EQ(encrypted.find("RCLONE_CONFIG_PASS"), std::string::npos);
    EXPECT_NE(encrypted.find("is encrypted"), std::string::npos);
    EXPECT_NE(told("2026/11/26 01:22:35 Failed to lsjson: open /var/lib/holdfast/.ssh/id: no such file or directory")
                  .find("\"~\""),
              std::string::npos);
}

TEST(Comparison, isBySomethingThatChangesWithTheContent) {
    const auto by = [](nlohmann::json options, bool times, std::vector<std::string> hashes) {
        RemoteFeatures features;
        features.times = times;
        features.hashes = std::move(hashes);
        return comparisonFor(options, features).by;
    };
    EXPECT_EQ(by(nlohmann::json::object(), true, {}), "time");
    EXPECT_EQ(by(nlohmann::json::object(), true, {"md5"}), "time");
    EXPECT_EQ(by(nlohmann::json::object(), false, {"md5"}), "hash");
    EXPECT_EQ(by(nlohmann::json::object(), false, {}), "nothing");
    EXPECT_EQ(by({{"checksum", true}}, true, {"md5"}), "hash");
    EXPECT_EQ(by({{"checksum", true}}, true, {}), "time") << "rclone itself would fall back to sizes";
    EXPECT_EQ(by({{"size-only", true}}, true, {"md5"}), "size");
}

TEST(RemoteFeatures, tellOfBucketsWhereTheRemoteNamesNone) {
    const auto buckets = [](const char* text) { return parseFeatures(text, "ask").buckets; };
    EXPECT_TRUE(buckets(R"({"String":"S3 root","Root":"","Features":{"BucketBased":true,"UnWrap":false}})"));
    EXPECT_FALSE(buckets(R"({"String":"Encrypted drive 'c:'","Features":{"BucketBased":true,"UnWrap":true}})"));
    EXPECT_FALSE(buckets(R"({"String":"union root ''","Features":{"BucketBased":true}})"));
    EXPECT_FALSE(parseFeatures(R"({"Precision":3153600000000000000})", "ask").times);
    EXPECT_TRUE(parseFeatures(R"({"Precision":1})", "ask").times);
}

} // namespace
} // namespace holdfast
