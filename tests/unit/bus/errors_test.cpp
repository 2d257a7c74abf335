#include "bus/errors.hpp"

#include "job/store.hpp"
#include "queue/dispatcher.hpp"
#include "util/async.hpp"

#include <system_error>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

template<typename Exception>
BusError described(const Exception& e) {
    return describeError(std::make_exception_ptr(e));
}

TEST(DescribeError, NamesEachKind) {
    const std::string ours = "org.holdfast1.Error.";
    const std::string standard = "org.freedesktop.DBus.Error.";
    EXPECT_EQ(described(InvalidJob({{"/name", "required", "A name is needed."}})).name, ours + "InvalidConfig");
    EXPECT_EQ(described(NoSuchJob("x")).name, ours + "NoSuchJob");
    EXPECT_EQ(described(JobExists("x")).name, ours + "JobExists");
    EXPECT_EQ(described(NoSuchRun("x")).name, ours + "NoSuchRun");
    EXPECT_EQ(described(NoSuchRemote("x")).name, ours + "NoSuchRemote");
    EXPECT_EQ(described(JobDisabled("x")).name, ours + "Disabled");
    EXPECT_EQ(described(AlreadyQueued("x")).name, ours + "AlreadyQueued");
    EXPECT_EQ(described(QueueFull("x")).name, ours + "QueueFull");
    EXPECT_EQ(described(NotCancelable("x")).name, ours + "NotCancelable");
    EXPECT_EQ(described(InvalidArgs("x")).name, standard + "InvalidArgs");
    EXPECT_EQ(described(AccessDenied("x")).name, standard + "AccessDenied");
    EXPECT_EQ(described(InteractionRequired("x")).name, standard + "InteractiveAuthorizationRequired");
    EXPECT_EQ(described(LimitsExceeded("x")).name, standard + "LimitsExceeded");
    EXPECT_EQ(described(Error("x")).name, ours + "Failed");
    EXPECT_EQ(described(TimedOut("x")).name, ours + "Failed");
}

TEST(DescribeError, CarriesEveryProblem) {
    const auto error = described(InvalidJob({{"/a", "pattern", "First thing."}, {"/b", "range", "Second thing."}}));
    EXPECT_NE(error.message.find("First thing."), std::string::npos);
    EXPECT_NE(error.message.find("Second thing."), std::string::npos);
}

TEST(DescribeError, TellsOurFailuresFromTheCallers) {
    EXPECT_FALSE(described(NoSuchJob("x")).ours);
    const auto full = described(std::system_error(ENOSPC, std::generic_category(), "write /etc/holdfast/jobs/a.json"));
    EXPECT_EQ(full.name, "org.holdfast1.Error.Failed");
    EXPECT_TRUE(full.ours);
    EXPECT_NE(full.message.find("/etc/holdfast/jobs/a.json"), std::string::npos);
    EXPECT_TRUE(describeError(std::make_exception_ptr(42)).ours);
}

TEST(DescribeError, MessageFitsTheBus) { EXPECT_EQ(described(Error("bad \xFF")).message, "bad \xEF\xBF\xBD"); }

TEST(BusErrorOf, HasNameAndMessage) {
    const sdbus::Error error = busError(std::make_exception_ptr(NoSuchJob("No job \"x\".")), "StartJob");
    EXPECT_EQ(std::string(error.getName()), "org.holdfast1.Error.NoSuchJob");
    EXPECT_EQ(error.getMessage(), "No job \"x\".");
}

} // namespace
} // namespace holdfast
