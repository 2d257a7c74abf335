#include "source/engine_http.hpp"

#include "util/async.hpp"
#include "util/error.hpp"
#include "util/held_path.hpp"

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
#include <sys/socket.h>

namespace holdfast {

namespace http = boost::beast::http;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t maxAnswer = 64 * 1024 * 1024; // a list of thousands of containers

using LocalSocket = asio::local::stream_protocol::socket;

/// Whoever answers there says which folders are read and replaced as root. The socket's own mode is no matter: who may
/// write to it may ask, and not answer.
HeldPath holdRootsSocket(const std::filesystem::path& path) {
    const auto real = hold(path, Owners::Any).real();
    auto socket = hold(real.parent_path(), Owners::Root).below(real.filename());
    if (!socket) throw NoSuchPath(fmt::format("{} is not there any more.", real.string()));
    if (socket->status().st_uid == 0) return std::move(*socket);
    throw Error(
        fmt::format("The engine's socket {} belongs to user {} and not to root. Only an engine of root's can be "
                    "asked: name its socket with engineSocket.",
                    real.string(), socket->status().st_uid));
}

/// The socket may be root's and what listens there somebody else's by now.
void demandRootServes(LocalSocket& socket, const std::filesystem::path& path) {
    struct ucred peer {};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        throwErrno("ask who serves " + path.string());
    }
    if (peer.uid == 0) return;
    throw Error(fmt::format("The engine's socket {} is served by user {} and not by root. Only an engine of root's can "
                            "be asked: name its socket with engineSocket.",
                            path.string(), peer.uid));
}

awaitable<void> exchange(std::filesystem::path path, EngineRequest request, EngineAnswer& answer) {
    const auto held = holdRootsSocket(path);
    LocalSocket socket(co_await asio::this_coro::executor);
    const asio::local::stream_protocol::endpoint endpoint(held.forChild());
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    demandRootServes(socket, path);

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
    const auto away = [&](const std::string& why) {
        return EngineAway(fmt::format("No container engine answers at {} ({}). Start Docker, or Podman's API with "
                                      "\"systemctl start podman.socket\", or correct engineSocket in the job.",
                                      socket.string(), why));
    };
    EngineAnswer answer;
    try {
        co_await withDeadline(exchange(socket, std::move(request), answer), limit, std::move(late));
    } catch (const NoSuchPath&) {
        throw away("there is no such file");
    } catch (const boost::system::system_error& e) {
        if (e.code() == asio::error::operation_aborted) throw;
        if (!isBroken(e.code())) {
            throw Error(fmt::format("What answers at {} does not speak the API of a container engine ({}). Correct "
                                    "engineSocket in the job.",
                                    socket.string(), e.code().message()));
        }
        throw away(e.code().message());
    }
    co_return answer;
}

} // namespace holdfast
