#pragma once

#include "util/asio.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace holdfast {

/// Asked as soon as it is made; the answer is waited for only where it is needed. `ask` keeps what it needs by itself:
/// a question that is let go of is cancelled, and ends some time later.
template<typename Answer>
class Question {
  public:
    using Ask = std::function<awaitable<Answer>()>;

    Question(asio::any_io_executor executor, Ask ask)
        : state_(std::make_shared<State>(std::move(executor), std::move(ask))) {
        State::begin(state_);
    }
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() { state_->stop.emit(asio::cancellation_type::terminal); }

    /// Throws what the asking threw; then the next to want the answer asks again. For one to wait at a time.
    awaitable<Answer> answer() {
        const auto state = state_;
        if (!state->asking && !state->answer) State::begin(state);
        while (state->asking) co_await state->settled.async_wait(asio::as_tuple(asio::use_awaitable));
        if (state->failure) std::rethrow_exception(std::exchange(state->failure, nullptr));
        co_return *state->answer;
    }

  private:
    struct State {
        State(asio::any_io_executor where, Ask what)
            : executor(std::move(where)), ask(std::move(what)),
              settled(executor, asio::steady_timer::time_point::max()) {}

        asio::any_io_executor executor;
        Ask ask;
        asio::cancellation_signal stop;
        asio::steady_timer settled; ///< never elapses; cancelled when the asking has ended
        bool asking = false;
        std::optional<Answer> answer{};
        std::exception_ptr failure{};

        static void begin(const std::shared_ptr<State>& state) {
            state->asking = true;
            auto done = [state](std::exception_ptr failure, Answer answer) {
                state->asking = false;
                state->failure = failure;
                if (!failure) state->answer = std::move(answer);
                state->settled.cancel();
            };
            asio::co_spawn(state->executor, state->ask(),
                           asio::bind_cancellation_slot(state->stop.slot(), std::move(done)));
        }
    };

    std::shared_ptr<State> state_;
};

} // namespace holdfast
