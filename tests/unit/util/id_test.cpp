#include "util/id.hpp"

#include "util/time.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Id, isFreshAndWellFormed) {
    const auto id = newId();
    EXPECT_TRUE(isId(id));
    EXPECT_NE(id, newId());
}

TEST(Id, ofOtherFormsIsRefused) {
    EXPECT_FALSE(isId(""));
    EXPECT_FALSE(isId("../../../../etc/passwd"));
    EXPECT_FALSE(isId(std::string(31, 'a')));
    EXPECT_FALSE(isId(std::string(33, 'a')));
    EXPECT_FALSE(isId(std::string(31, 'a') + "G"));
    EXPECT_FALSE(isId(std::string(31, 'a') + "\n"));
}

TEST(Time, stampsSortByTimeAndNeedNoQuoting) { EXPECT_EQ(utcStamp(1'795'436'100'000'000), "20261123T121500Z"); }

} // namespace
} // namespace holdfast
