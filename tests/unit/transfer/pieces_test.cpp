#include "transfer/compressor.hpp"
#include "transfer/digest.hpp"
#include "transfer/rate_limiter.hpp"
#include "transfer/stream.hpp"
#include "util/error.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

TEST(Digest, agreesWithTheStandard) {
    Digest digest("SHA256");
    digest.add("ab");
    digest.add("c");
    EXPECT_EQ(digest.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); // FIPS 180-2, B.1
    EXPECT_THROW(Digest("NO-SUCH-HASH"), Error);
}

TEST(Compressor, makesOneFrameThatUnpacksToTheSame) {
    Compressor compressor(3);
    std::string packed, plain;
    for (int i = 0; i < 200; ++i) {
        const std::string piece(static_cast<std::size_t>(i * 37), static_cast<char>('a' + i % 26));
        plain += piece;
        packed += compressor.add(piece);
    }
    packed += compressor.finish();
    std::string again(plain.size(), '\0');
    EXPECT_EQ(ZSTD_decompress(again.data(), again.size(), packed.data(), packed.size()), plain.size());
    EXPECT_EQ(again, plain);
}

TEST(RateLimiter, spreadsBytesEvenly) {
    RateLimiter limiter;
    limiter.setRate(1'000'000);
    auto now = RateLimiter::Clock::time_point{} + 1h;
    const auto begin = now;
    std::size_t sent = 0;
    while (sent < 5'000'000) {
        const auto portion = limiter.portion(256 * 1024);
        EXPECT_LE(portion, 100'000U) << "a changed rate would not soon hold";
        now += limiter.sent(portion, now);
        sent += portion;
    }
    EXPECT_NEAR(std::chrono::duration<double>(now - begin).count(), 5.0, 0.15);
}

TEST(RateLimiter, reachesTheRateThoughTimersWakeLate) {
    RateLimiter limiter;
    limiter.setRate(1'000'000);
    auto now = RateLimiter::Clock::time_point{} + 1h;
    const auto begin = now;
    for (std::size_t sent = 0; sent < 10'000'000; sent += 100'000) now += limiter.sent(100'000, now) + 7ms;
    EXPECT_NEAR(std::chrono::duration<double>(now - begin).count(), 10.0, 0.15);
}

TEST(RateLimiter, savesUpHardlyAnyTimeThatWentByUnused) {
    RateLimiter limiter;
    limiter.setRate(1000);
    auto now = RateLimiter::Clock::time_point{} + 1h;
    limiter.sent(100, now);
    now += 1h;
    EXPECT_EQ(limiter.sent(1000, now), 900ms);
}

TEST(RateLimiter, withoutARateNeverWaits) {
    RateLimiter limiter;
    EXPECT_EQ(limiter.sent(1 << 30, RateLimiter::Clock::now()), 0us);
    EXPECT_EQ(limiter.portion(12345), 12345U);
}

TEST(Hash, thatThePipeComputesAnywayIsPreferred) {
    EXPECT_EQ(chooseHash({.streams = true, .hashes = {"md5", "sha1", "sha256"}}), "sha256");
    EXPECT_EQ(chooseHash({.streams = true, .hashes = {"sha1", "md5"}}), "md5");
    EXPECT_EQ(chooseHash({.streams = true, .hashes = {"sha1", "quickxor"}}), "sha1");
    EXPECT_EQ(chooseHash({.streams = true, .hashes = {"quickxor"}}), "");
}

TEST(PartSize, staysAsItIsWhileTheStreamFits) {
    EXPECT_TRUE(partSizeFlags(0).empty());
    EXPECT_TRUE(partSizeFlags(30ULL << 30).empty());
}

TEST(PartSize, growsWithAMarginWhereItWouldNot) {
    const auto flags = partSizeFlags(1ULL << 40); // 1 TiB
    ASSERT_EQ(flags.size(), 3U);
    EXPECT_EQ(flags[0], "--s3-chunk-size=132Mi");
    EXPECT_GT(132ULL * 1024 * 1024 * 10'000, (1ULL << 40) + (1ULL << 38));
    EXPECT_EQ(flags[1], "--b2-chunk-size=132Mi");
    EXPECT_EQ(flags[2], "--azureblob-chunk-size=27Mi");
}

} // namespace
} // namespace holdfast
