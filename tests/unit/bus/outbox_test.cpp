#include "bus/outbox.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <sdbus-c++/Error.h>

#include "util/sdbus_compat.hpp"

namespace holdfast {
namespace {

class OutboxTest : public testing::Test {
  protected:
    void put(int value) {
        outbox.put([this, value] { sent.push_back(value); });
    }
    void turn() {
        io.restart();
        io.poll();
    }

    asio::io_context io;
    Outbox outbox{io};
    std::vector<int> sent;
};

TEST_F(OutboxTest, SendsInALaterTurnInOrder) {
    put(1);
    put(2);
    EXPECT_TRUE(sent.empty());
    turn();
    EXPECT_EQ(sent, (std::vector{1, 2}));
}

TEST_F(OutboxTest, KeepsAllInWhileHeld) {
    put(1); // waits already when the hold begins
    {
        const Outbox::Hold outer(outbox);
        put(2);
        const Outbox::Hold inner(outbox);
        turn();
        EXPECT_TRUE(sent.empty());
    }
    EXPECT_TRUE(sent.empty()) << "the reply comes between the end of the hold and the next turn";
    turn();
    EXPECT_EQ(sent, (std::vector{1, 2}));
}

TEST_F(OutboxTest, SendsWhatSendingPutsIn) {
    outbox.put([this] { put(2); });
    turn();
    turn();
    EXPECT_EQ(sent, (std::vector{2}));
}

TEST_F(OutboxTest, OneSignalThatFailsKeepsNoOtherIn) {
    outbox.put([] { throw compat::error("org.freedesktop.DBus.Error.InvalidArgs", "not UTF-8"); });
    put(1);
    turn();
    EXPECT_EQ(sent, (std::vector{1}));
}

} // namespace
} // namespace holdfast
