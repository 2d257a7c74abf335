#include "transfer/answers.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Answers, sizeThatTheRemoteDoesNotTellIsNothing) {
    EXPECT_EQ(parseStat(R"({"Size": 7})", "", "look")->size, 7U);
    EXPECT_EQ(parseStat(R"({"Size": -1})", "", "look")->size, 0U);
    EXPECT_EQ(parseFolder(R"([{"Name": "a", "Size": -1}])", "list").at(0).size, 0U);
}

TEST(Answers, sizeThatIsNoneIsAnAnswerThatMayBeAskedForAgain) {
    for (const char* size : {"-2", "1e30", "1.5", "\"7\"", "null"}) {
        const auto answer = std::string(R"({"Name": "a", "Size": )") + size + "}";
        try {
            parseStat(answer, "", "look");
            ADD_FAILURE() << size;
        } catch (const TransferError& e) {
            EXPECT_TRUE(e.retry());
        }
        EXPECT_THROW(parseFolder("[" + answer + "]", "list"), TransferError) << size;
    }
}

} // namespace
} // namespace holdfast
