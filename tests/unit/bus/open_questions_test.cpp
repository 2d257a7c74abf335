#include "bus/open_questions.hpp"

#include "bus/errors.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr std::uint32_t alice = 1000;
constexpr std::uint32_t bob = 1001;
constexpr std::uint32_t carol = 1002;

TEST(OpenQuestions, AUserWithTooManyIsRefused) {
    OpenQuestions questions(1, 10);
    EXPECT_EQ(questions.open("a1", alice), std::nullopt);
    EXPECT_THROW(questions.open("a2", alice), LimitsExceeded);
    EXPECT_EQ(questions.open("b1", bob), std::nullopt);
    EXPECT_TRUE(questions.close("a1"));
    EXPECT_EQ(questions.open("a2", alice), std::nullopt);
}

TEST(OpenQuestions, WhoeverHasMostGivesWay) {
    OpenQuestions questions(3, 4);
    for (const char* question : {"b1", "a1", "a2", "b2"}) {
        questions.open(question, question[0] == 'a' ? alice : bob);
    }
    ASSERT_TRUE(questions.close("b2"));
    questions.open("a3", alice);
    EXPECT_EQ(questions.open("c1", carol), "a1");
    EXPECT_FALSE(questions.close("a1"));
    EXPECT_TRUE(questions.close("a2"));
}

TEST(OpenQuestions, OfEquallyManyTheOldestGivesWay) {
    OpenQuestions questions(3, 2);
    questions.open("a1", alice);
    questions.open("b1", bob);
    EXPECT_EQ(questions.open("c1", carol), "a1");
    EXPECT_EQ(questions.open("a2", alice), "b1");
}

} // namespace
} // namespace holdfast
