#include "source/engine_http.hpp"

#include "util/async.hpp"

#include <cstdint>
#include <utility>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

namespace holdfast {

namespace http = boost::beast::http;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t maxAnswer = 64 * 1024 * 1024; // a list of thousands of containers

awaitable<void> exchange(std::filesystem::path path, EngineRequest request, EngineAnswer& answer) {
    asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
    const asio::local::stream_protocol::endpoint endpoint(path.string());
    co_await socket.async_connect(endpoint, asio::use_awaitable);

    const auto verb = request.post ? http::verb::post : http::verb::get;
    http::request<http::empty_body> message(verb, request.target, 11);
    message.set(http::field::host, "localhost");
    message.set(http::field::user_agent, "holdfast/" HOLDFAST_VERSION);
    message.keep_alive(false);
    message.prepare_payload();
    co_await http::async_write(socket, message, asio::use_awaitable);

    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(maxAnswer);
    co_await http::async_read(socket, buffer, parser, asio::use_awaitable);
    answer.status = parser.get().result_int();
    answer.body = std::move(parser.get().body());
}

/// Whether the connection broke, rather than that what came over it made no sense.
bool isBroken(const boost::system::error_code& code) {
    if (code == http::error::end_of_stream || code == http::error::partial_message) return true;
    return code.category() == boost::system::system_category() || code.category() == asio::error::get_misc_category();
}

} // namespace

awaitable<EngineAnswer> askEngine(std::filesystem::path socket, EngineRequest request,
                                  std::chrono::microseconds limit) {
    const auto target = request.target;
    auto late = fmt::format("The container engine at {} did not answer within {} s (it was asked for {}).",
                            socket.string(), limit / 1s, target);
    EngineAnswer answer;
    try {
        co_await withDeadline(exchange(socket, std::move(request), answer), limit, std::move(late));
    } catch (const boost::system::system_error& e) {
        if (e.code() == asio::error::operation_aborted) throw;
        if (!isBroken(e.code())) {
            throw Error(fmt::format("What answers at {} does not speak the API of a container engine ({}). Correct "
                                    "engineSocket in the job.",
                                    socket.string(), e.code().message()));
        }
        throw EngineAway(fmt::format("No container engine answers at {} ({}). Start Docker, or Podman's API with "
                                     "\"systemctl start podman.socket\", or correct engineSocket in the job.",
                                     socket.string(), e.code().message()));
    }
    co_return answer;
}

} // namespace holdfast
