#include "bus/caller_limit.hpp"

#include "bus/errors.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(CallerLimit, BoundsEachCaller) {
    CallerLimit limit(2, 10, "checks");
    const auto first = limit.take("alice");
    auto second = limit.take("alice");
    EXPECT_THROW(static_cast<void>(limit.take("alice")), LimitsExceeded);
    EXPECT_NO_THROW(static_cast<void>(limit.take("bob")));
    second.reset();
    EXPECT_NO_THROW(static_cast<void>(limit.take("alice")));
}

TEST(CallerLimit, BoundsAllTogether) {
    CallerLimit limit(2, 3, "checks");
    std::vector<CallerLimit::Ticket> tickets;
    for (const char* caller : {"a", "b", "c"}) tickets.push_back(limit.take(caller));
    EXPECT_THROW(static_cast<void>(limit.take("d")), LimitsExceeded);
    tickets.clear();
    EXPECT_NO_THROW(static_cast<void>(limit.take("d")));
}

TEST(CallerLimit, ARefusalCostsNothing) {
    CallerLimit limit(1, 2, "checks");
    auto ticket = limit.take("alice");
    for (int i = 0; i < 5; ++i) EXPECT_THROW(static_cast<void>(limit.take("alice")), LimitsExceeded);
    ticket.reset();
    EXPECT_NO_THROW(static_cast<void>(limit.take("alice")));
}

TEST(CallerLimit, ATicketMayOutliveIt) {
    CallerLimit::Ticket ticket;
    {
        CallerLimit limit(1, 1, "checks");
        ticket = limit.take("alice");
    }
    EXPECT_NO_FATAL_FAILURE(ticket.reset());
}

} // namespace
} // namespace holdfast
