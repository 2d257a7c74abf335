#include "transfer/stream.hpp"

#include "../run_coroutine.hpp"
#include "../temporary_folder.hpp"
#include "util/async.hpp"
#include "util/file.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

/// Real rclone, an alias remote on a folder.
class Stream : public testing::Test {
  protected:
    Stream() {
        std::signal(SIGPIPE, SIG_IGN); // as main() does
        std::filesystem::create_directory(folder_ / "store");
        std::ofstream(folder_ / "rclone.conf")
            << fmt::format("[store]\ntype = alias\nremote = {}\n", (folder_ / "store").string());
    }

    StreamSpec spec(const std::string& script) const {
        return {.producer = {"bash", "-c", script},
                .object = "store:backups/object",
                .remoteHash = "sha256",
                .stallTimeout = 30 * usecPerSec,
                .killDelay = 2 * usecPerSec};
    }

    Sent send(StreamSpec what) { return runCoroutine(sendStream(rclone_, std::move(what), progress_, limiter_)); }

    /// As a run does it here: the object is read back.
    void verify(const Sent& sent) {
        const auto features = runCoroutine(rclone_.features("store"));
        EXPECT_TRUE(features.local);
        runCoroutine(verifyObject(rclone_, "store:backups/object", features, sent));
    }

    /// As with a remote that is asked for a hash, or that has none.
    void verifyAsRemote(const std::string& hash, const Sent& sent) {
        RemoteFeatures features;
        if (!hash.empty()) features.hashes.push_back(hash);
        runCoroutine(verifyObject(rclone_, "store:backups/object", features, sent));
    }

    /// What `a | b` in a shell would have left at the destination.
    [[nodiscard]] std::uintmax_t storedBytes() const {
        const auto file = folder_ / "store/backups/object";
        return std::filesystem::exists(file) ? std::filesystem::file_size(file) : 0;
    }

    TemporaryFolder folder_;
    Rclone rclone_{folder_ / "rclone.conf"};
    Progress progress_{Progress::Clock::now()};
    RateLimiter limiter_;
};

TEST_F(Stream, arrivesWholeAndIsVerified) {
    const auto sent = send(spec("head -c 3000000 /dev/zero"));
    EXPECT_EQ(sent.streamSize, 3'000'000U);
    EXPECT_EQ(sent.streamSha256, sent.objectSha256);
    EXPECT_EQ(storedBytes(), 3'000'000U);
    EXPECT_EQ(progress_.done(), 3'000'000U);
    EXPECT_NO_THROW(verify(sent));
}

TEST_F(Stream, isCompressedOnTheWay) {
    auto what = spec("head -c 3000000 /dev/zero");
    what.compressionLevel = 3;
    what.remoteHash = "md5";
    const auto sent = send(what);
    EXPECT_EQ(sent.streamSize, 3'000'000U);
    EXPECT_LT(sent.objectSize, 10'000U);
    EXPECT_EQ(storedBytes(), sent.objectSize);
    EXPECT_NE(sent.streamSha256, sent.objectSha256);
    EXPECT_NO_THROW(verifyAsRemote("md5", sent));
}

/// The fault that the commit gate is for: rcat takes the end of its input for success.
TEST_F(Stream, thePlainShellPipeCommitsATruncatedOne) {
    const auto command =
        fmt::format("(head -c 3000000 /dev/zero; exit 1) | rclone --config '{}' rcat store:backups/object",
                    (folder_ / "rclone.conf").string());
    EXPECT_EQ(std::system(command.c_str()), 0) << "rclone has learned to tell; the gate's tests may be rethought";
    EXPECT_EQ(storedBytes(), 3'000'000U);
}

TEST_F(Stream, ofAFailingProducerNeverOpensTheGate) {
    try {
        send(spec("head -c 3000000 /dev/zero; echo 'no more tape' >&2; exit 1"));
        FAIL() << "a truncated stream was taken for a whole one";
    } catch (const TransferError& e) {
        EXPECT_NE(std::string(e.what()).find("exited with status 1"), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("no more tape"), std::string::npos) << e.what();
        EXPECT_TRUE(e.retry());
    }
}

TEST_F(Stream, ofAKilledProducerFails) {
    EXPECT_THROW(send(spec("head -c 3000000 /dev/zero; kill -KILL $$")), TransferError);
}

TEST_F(Stream, thatIsEmptyIsNoBackup) {
    try {
        send(spec("exit 0"));
        FAIL();
    } catch (const TransferError& e) {
        EXPECT_FALSE(e.retry());
    }
    EXPECT_EQ(storedBytes(), 0U);
}

TEST_F(Stream, toARemoteThatIsNotConfiguredFailsForGood) {
    auto what = spec("head -c 100000000 /dev/zero");
    what.object = "nowhere:x";
    try {
        send(what);
        FAIL();
    } catch (const TransferError& e) {
        EXPECT_FALSE(e.retry()) << e.what();
        EXPECT_NE(std::string(e.what()).find("didn't find section"), std::string::npos) << e.what();
    }
}

TEST_F(Stream, whoseRemoteFailsDoesNotWaitForASilentProducer) {
    auto what = spec("sleep 60");
    what.object = "nowhere:x";
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(send(what), TransferError);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

/// As OpenZFS's send, which waits in the kernel for its pipe and minds no signal meanwhile.
constexpr auto writesAndMindsNoSignal = "trap '' TERM; exec cat /dev/zero";

TEST_F(Stream, whoseRemoteFailsEndsAProducerThatWaitsForItsPipe) {
    auto what = spec(writesAndMindsNoSignal);
    what.object = "nowhere:x";
    what.killDelay = 60 * usecPerSec;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(send(what), TransferError);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(Stream, thatMayNotBeSentEndsAProducerThatWaitsForItsPipe) {
    auto what = spec(writesAndMindsNoSignal);
    what.killDelay = 60 * usecPerSec;
    what.beforeSending = [](StreamSpec&) -> awaitable<void> {
        co_await sleepFor(300ms);
        throw Error("It takes no streams.");
    };
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(send(what), Error);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(Stream, thatStallsIsEnded) {
    auto what = spec("head -c 1000000 /dev/zero; sleep 60");
    what.stallTimeout = usecPerSec / 2;
    const auto begin = std::chrono::steady_clock::now();
    try {
        send(what);
        FAIL();
    } catch (const TransferError& e) {
        EXPECT_TRUE(e.retry());
        EXPECT_NE(std::string(e.what()).find("No byte has moved"), std::string::npos) << e.what();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

/// rclone needs its SIGTERM to abort a multipart upload; a SIGKILL would leave the parts.
TEST_F(Stream, thatIsCancelledEndsBothProgramsInOrder) {
    const auto told = folder_ / "told";
    const auto script = fmt::format(
        "trap 'echo TERM > {}; exit 1' TERM; while :; do head -c 100000 /dev/zero; sleep 0.05; done", told.string());
    asio::io_context io(1);
    asio::cancellation_signal stop;
    asio::steady_timer timer(io, 500ms);
    timer.async_wait([&](auto) { stop.emit(asio::cancellation_type::terminal); });
    bool threw = false;
    asio::co_spawn(
        io, sendStream(rclone_, spec(script), progress_, limiter_),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr failure, Sent) { threw = !!failure; }));
    const auto begin = std::chrono::steady_clock::now();
    io.run();
    EXPECT_TRUE(threw);
    EXPECT_TRUE(std::filesystem::exists(told)) << "the producer was killed without a SIGTERM";
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

/// The producer need not wait until the remote has said what it can do.
TEST_F(Stream, beginsBeforeAllIsKnown) {
    const auto begun = folder_ / "begun";
    auto what = spec(fmt::format("touch {}; head -c 3000000 /dev/zero", begun.string()));
    what.remoteHash.clear();
    what.beforeSending = [&](StreamSpec& stream) -> awaitable<void> {
        for (int i = 0; i < 500 && !std::filesystem::exists(begun); ++i) co_await sleepFor(10ms);
        EXPECT_TRUE(std::filesystem::exists(begun));
        EXPECT_FALSE(std::filesystem::exists(folder_ / "store/backups"));
        stream.remoteHash = "md5";
    };
    const auto sent = send(what);
    EXPECT_EQ(storedBytes(), 3'000'000U);
    EXPECT_EQ(sent.remoteHash.size(), 32U);
    EXPECT_NO_THROW(verifyAsRemote("md5", sent));
}

TEST_F(Stream, isNotSentWhereItMayNotBe) {
    const auto told = folder_ / "told";
    auto what = spec(fmt::format("trap 'echo TERM > {}; exit 1' TERM; while :; do sleep 0.05; done", told.string()));
    what.beforeSending = [](StreamSpec&) -> awaitable<void> {
        co_await sleepFor(300ms);
        throw Error("It takes no streams.");
    };
    try {
        send(what);
        FAIL();
    } catch (const Error& e) {
        EXPECT_STREQ(e.what(), "It takes no streams.");
    }
    EXPECT_TRUE(std::filesystem::exists(told)) << "the producer was killed without a SIGTERM";
    EXPECT_FALSE(std::filesystem::exists(folder_ / "store/backups"));
}

TEST_F(Stream, keepsToItsRate) {
    limiter_.setRate(2'000'000);
    const auto begin = std::chrono::steady_clock::now();
    send(spec("head -c 3000000 /dev/zero"));
    EXPECT_GT(std::chrono::steady_clock::now() - begin, 1300ms);
}

TEST_F(Stream, changedAtTheDestinationIsFound) {
    const auto sent = send(spec("head -c 3000000 /dev/zero"));
    const auto file = folder_ / "store/backups/object";
    {
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        bytes.seekp(1'500'000);
        bytes.put('x');
    }
    EXPECT_THROW(verify(sent), TransferError);
    EXPECT_THROW(verifyAsRemote("sha256", sent), TransferError);
    std::filesystem::resize_file(file, 2'999'999);
    EXPECT_THROW(verifyAsRemote("", sent), TransferError);
    std::filesystem::remove(file);
    EXPECT_THROW(verifyAsRemote("", sent), TransferError);
}

TEST_F(Stream, smallObjectsAreWrittenReadAndRemoved) {
    runCoroutine(rclone_.write("store:a/b.json", "{}"));
    EXPECT_EQ(runCoroutine(rclone_.read("store:a/b.json", 10)), "{}");
    EXPECT_THROW(runCoroutine(rclone_.read("store:a/b.json", 1)), TransferError);
    runCoroutine(rclone_.remove("store:a/b.json"));
    runCoroutine(rclone_.remove("store:a/b.json"));
    EXPECT_FALSE(runCoroutine(rclone_.read("store:a/b.json", 10)));
    EXPECT_FALSE(runCoroutine(rclone_.read("store:no/such/folder/x", 10)));
    EXPECT_THROW(runCoroutine(rclone_.read("nowhere:x", 10)), TransferError);
}

TEST_F(Stream, remotesAreListedWithTheirTypes) {
    EXPECT_EQ(runCoroutine(rclone_.remotes()), (std::map<std::string, std::string>{{"store", "alias"}}));
    EXPECT_TRUE(runCoroutine(rclone_.features("store")).streams);
}

} // namespace
} // namespace holdfast
