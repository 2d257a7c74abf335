#include "source/key_filter.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(KeyFilter, BlanksEveryFormOfAKey) {
    EXPECT_EQ(withoutKeys("PrivateKey=gJt06xDlyntp=\n"), "PrivateKey=\n");
    EXPECT_EQ(withoutKeys("PublicKey=98PcRLFD+/=\n"), "PublicKey=\n");
    EXPECT_EQ(withoutKeys("PresharedKey=uL3X=\n"), "PresharedKey=\n");
    EXPECT_EQ(withoutKeys("PrivateKey:1=\"8FBf=\"\n"), "PrivateKey:1=\"\"\n");
    EXPECT_EQ(withoutKeys("PublicKey:12=\"8FBf=\"\n"), "PublicKey:12=\"\"\n");
    EXPECT_EQ(withoutKeys("PrivateKey = secret=\n"), "PrivateKey =\n");
    EXPECT_EQ(withoutKeys("#PrivateKey=secret=\n"), "#PrivateKey=\n");
    EXPECT_EQ(withoutKeys("privatekey\t=\tsecret"), "privatekey\t=");
    EXPECT_EQ(withoutKeys("PrivateKey='secret="), "PrivateKey='");
    EXPECT_EQ(withoutKeys("PrivateKey:0=\"a=\" PublicKey:0=\"b=\" # note"),
              "PrivateKey:0=\"\" PublicKey:0=\"\" # note");
}

TEST(KeyFilter, KeepsAllElse) {
    const std::string text =
        "[Interface]\r\n\r\nAddress=10.0.0.1/24\r\n# PublicKey is below\nPublicKey:0=\"\"\nKeyboard=x\n\n";
    EXPECT_EQ(withoutKeys(text), text);
    EXPECT_EQ(withoutKeys(""), "");
    const std::string binary("\0PublicKey\0\n", 12);
    EXPECT_EQ(withoutKeys(binary), binary);
}

TEST(KeyFilter, KeepsLineEnds) {
    EXPECT_EQ(withoutKeys("PrivateKey=a=\r\nPort=1\r\nPublicKey:1=\"b=\"\r\n"),
              "PrivateKey=\r\nPort=1\r\nPublicKey:1=\"\"\r\n");
    EXPECT_EQ(withoutKeys("PrivateKey=a=\rPort=1"), "PrivateKey=\rPort=1");
}

TEST(KeyFilter, IsIdempotent) {
    const auto once = withoutKeys("PrivateKey = a=\nPublicKey:1=\"b=\"\n");
    EXPECT_EQ(withoutKeys(once), once);
}

TEST(KeyFilter, KnowsWhereKeysAreWhateverTheCase) {
    EXPECT_TRUE(mayHoldKeys("config/wireguard/wg0.conf"));
    EXPECT_TRUE(mayHoldKeys("Config/WireGuard/peers/Phone.CONF"));
    EXPECT_TRUE(mayHoldKeys("config/wireguard/wg0.conf.bak"));
    EXPECT_FALSE(mayHoldKeys("config/wireguard"));
    EXPECT_FALSE(mayHoldKeys("plugins/config/wireguard/wg0.conf"));
    EXPECT_FALSE(mayHoldKeys("config/ident.cfg"));
}

} // namespace
} // namespace holdfast
