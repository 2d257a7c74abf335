#include "util/question.hpp"

#include "../run_coroutine.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <chrono>
#include <string>

#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

/// Somebody who answers after a while, and who counts.
struct Oracle {
    int asked = 0;
    int answered = 0;
    bool refuses = false;

    Question<std::string>::Ask ask() {
        return [this]() -> awaitable<std::string> {
            ++asked;
            co_await sleepFor(20ms);
            if (refuses) throw Error("I do not know.");
            ++answered;
            co_return std::string("42");
        };
    }
};

TEST(Question, IsAskedBeforeAnybodyWaits) {
    Oracle oracle;
    const auto both = [&]() -> awaitable<void> {
        Question<std::string> question(co_await asio::this_coro::executor, oracle.ask());
        co_await sleepFor(60ms);
        EXPECT_EQ(oracle.answered, 1);
        const auto answer = co_await question.answer();
        EXPECT_EQ(answer, "42");
    };
    runCoroutine(both());
}

TEST(Question, IsAskedOnceForAllWhoWait) {
    Oracle oracle;
    const auto twice = [&]() -> awaitable<void> {
        Question<std::string> question(co_await asio::this_coro::executor, oracle.ask());
        for (int i = 0; i < 2; ++i) {
            const auto answer = co_await question.answer();
            EXPECT_EQ(answer, "42");
        }
    };
    runCoroutine(twice());
    EXPECT_EQ(oracle.asked, 1);
}

TEST(Question, IsAskedAgainAfterAFailure) {
    Oracle oracle;
    oracle.refuses = true;
    const auto twice = [&]() -> awaitable<void> {
        Question<std::string> question(co_await asio::this_coro::executor, oracle.ask());
        EXPECT_THROW(co_await question.answer(), Error);
        oracle.refuses = false;
        const auto answer = co_await question.answer();
        EXPECT_EQ(answer, "42");
    };
    runCoroutine(twice());
    EXPECT_EQ(oracle.asked, 2);
}

TEST(Question, IsCancelledWhenNobodyWantsToKnow) {
    Oracle oracle;
    const auto ask = [&]() -> awaitable<void> {
        Question<std::string> question(co_await asio::this_coro::executor, oracle.ask());
        co_await sleepFor(1ms);
    };
    runCoroutine(ask());
    EXPECT_EQ(oracle.asked, 1);
    EXPECT_EQ(oracle.answered, 0);
}

TEST(Question, WhoWaitsCanBeTimedOut) {
    Oracle oracle;
    const auto ask = [&]() -> awaitable<void> {
        Question<std::string> question(co_await asio::this_coro::executor, oracle.ask());
        const auto wait = [&]() -> awaitable<void> { static_cast<void>(co_await question.answer()); };
        auto waiting = withDeadline(wait(), 1ms, "Too late.");
        const auto failure = co_await caught(std::move(waiting));
        EXPECT_THROW(std::rethrow_exception(failure), TimedOut);
    };
    runCoroutine(ask());
}

} // namespace
} // namespace holdfast
