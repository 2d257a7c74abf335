#include "bus/caller_limit.hpp"

#include "bus/errors.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr std::uint32_t alice = 1000;
constexpr std::uint32_t bob = 1001;

TEST(CallerLimit, BoundsEachUser) {
    CallerLimit limit(2, 10, 0, "checks");
    const auto first = limit.take(alice);
    auto second = limit.take(alice);
    EXPECT_THROW(static_cast<void>(limit.take(alice)), LimitsExceeded);
    EXPECT_NO_THROW(static_cast<void>(limit.take(bob)));
    second.reset();
    EXPECT_NO_THROW(static_cast<void>(limit.take(alice)));
}

TEST(CallerLimit, BoundsAllTogether) {
    CallerLimit limit(2, 3, 0, "checks");
    std::vector<CallerLimit::Ticket> tickets;
    for (const std::uint32_t uid : {1U, 2U, 3U}) tickets.push_back(limit.take(uid));
    EXPECT_THROW(static_cast<void>(limit.take(4)), LimitsExceeded);
    tickets.clear();
    EXPECT_NO_THROW(static_cast<void>(limit.take(4)));
}

TEST(CallerLimit, KeepsRoomForRoot) {
    CallerLimit limit(1, 4, 2, "checks");
    std::vector<CallerLimit::Ticket> tickets;
    for (const std::uint32_t uid : {1U, 2U}) tickets.push_back(limit.take(uid));
    EXPECT_THROW(static_cast<void>(limit.take(3)), LimitsExceeded);
    for (int i = 0; i < 2; ++i) tickets.push_back(limit.take(0));
    EXPECT_THROW(static_cast<void>(limit.take(0)), LimitsExceeded);
}

TEST(CallerLimit, ARefusalCostsNothing) {
    CallerLimit limit(1, 2, 0, "checks");
    auto ticket = limit.take(alice);
    for (int i = 0; i < 5; ++i) EXPECT_THROW(static_cast<void>(limit.take(alice)), LimitsExceeded);
    ticket.reset();
    EXPECT_NO_THROW(static_cast<void>(limit.take(alice)));
}

TEST(CallerLimit, ATicketMayOutliveIt) {
    CallerLimit::Ticket ticket;
    {
        CallerLimit limit(1, 1, 0, "checks");
        ticket = limit.take(alice);
    }
    EXPECT_NO_FATAL_FAILURE(ticket.reset());
}

} // namespace
} // namespace holdfast
