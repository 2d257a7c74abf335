#include "unit/rclone_config.hpp"

#include "../temporary_folder.hpp"

#include "util/file.hpp"

#include <gtest/gtest.h>

using namespace holdfast;

namespace {

class Configured : public testing::Test {
  protected:
    RcloneConfig with(const std::string& text) {
        const auto file = folder_ / "rclone.conf";
        replaceFile(file, text, Durability::Volatile);
        return RcloneConfig(file);
    }

  private:
    TemporaryFolder folder_;
};

constexpr auto typical = "# made by hand\n[nas]\ntype = alias\nremote = /mnt/nas\n\n[b2]\ntype=b2\naccount = x\n"
                         "[secret]\n type = crypt\n remote = b2:bucket/x\n[twice]\ntype = crypt\nremote = secret:y\n"
                         "[here]\ntype = crypt\nremote = nas:x\n[round]\ntype = alias\nremote = round:\n";

} // namespace

TEST_F(Configured, RemoteThatTalksToAServerReachesNoDisk) {
    const auto config = with(typical);
    for (const char* remote : {"b2", "secret", "twice"}) EXPECT_FALSE(config.reachesDisk(remote)) << remote;
    for (const char* remote : {"nas", "here", "round", "unknown"}) EXPECT_TRUE(config.reachesDisk(remote)) << remote;
}

TEST_F(Configured, OnlyTypesThatStoreTokensRewriteIt) {
    EXPECT_FALSE(with(typical).isRewritten());
    EXPECT_FALSE(with("").isRewritten());
    EXPECT_TRUE(with(std::string(typical) + "[cloud]\ntype = drive\ntoken = {}\n").isRewritten());
    EXPECT_TRUE(with("[new]\ntype = of-tomorrow\n").isRewritten());
}

TEST_F(Configured, WhatCannotBeReadCountsAsTheWiderNeed) {
    const auto encrypted = with("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nA5Z4kF9Yq\n");
    EXPECT_TRUE(encrypted.isRewritten());
    EXPECT_TRUE(encrypted.reachesDisk("b2"));
    EXPECT_TRUE(RcloneConfig("/").isRewritten());
}
