#include "bus/remote_requests.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

TEST(RemoteReport, HasEveryKeyWhateverIsKnown) {
    const auto report = remoteReport({{"type", "s3"}, {"streams", true}, {"hashes", {"md5"}}, {"free", nullptr}});
    EXPECT_EQ(report.at("type").get<std::string>(), "s3");
    EXPECT_TRUE(report.at("streams").get<bool>());
    EXPECT_EQ(report.at("hashes").get<std::vector<std::string>>(), std::vector<std::string>{"md5"});
    for (const char* size : {"total", "used", "free"}) EXPECT_EQ(report.at(size).get<std::uint64_t>(), 0U) << size;
    EXPECT_FALSE(report.at("writable").get<bool>());
    EXPECT_EQ(report.at("error").get<std::string>(), "");
}

TEST(RemoteReport, KeepsSizesWhole) {
    const auto report = remoteReport({{"total", 1ULL << 50}, {"used", 5}, {"writable", true}, {"problem", "full"}});
    EXPECT_EQ(report.at("total").get<std::uint64_t>(), 1ULL << 50);
    EXPECT_EQ(report.at("used").get<std::uint64_t>(), 5U);
    EXPECT_TRUE(report.at("writable").get<bool>());
    EXPECT_EQ(report.at("error").get<std::string>(), "full");
}

} // namespace
} // namespace holdfast
