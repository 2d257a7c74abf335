#include "transfer/remote_control.hpp"

#include "util/async.hpp"
#include "util/error.hpp"
#include "util/id.hpp"

#include <charconv>
#include <chrono>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

namespace holdfast {

namespace http = boost::beast::http;
using namespace std::chrono_literals;

namespace {

constexpr auto user = "holdfast";
constexpr auto longestCall = 10s;
constexpr std::size_t longestAnswer = 8 * 1024 * 1024; // it names every file in flight

std::string base64(const std::string& text) {
    std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
    const int size =
        ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                          reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    encoded.resize(static_cast<std::size_t>(size));
    return encoded;
}

} // namespace

RemoteControl::RemoteControl() : password_(newId()) {}

std::vector<std::string> RemoteControl::environment() const {
    return {std::string("RCLONE_RC_USER=") + user, "RCLONE_RC_PASS=" + password_};
}

bool RemoteControl::findPort(const std::string& errorOutput) {
    constexpr std::string_view mark = "remote control on http://127.0.0.1:";
    const auto at = errorOutput.find(mark);
    if (at == std::string::npos) return false;
    const char* digits = errorOutput.data() + at + mark.size();
    return std::from_chars(digits, errorOutput.data() + errorOutput.size(), port_).ec == std::errc{};
}

awaitable<nlohmann::json> RemoteControl::call(std::string method, nlohmann::json parameters) const {
    nlohmann::json answer;
    auto body = parameters.dump();
    auto ask = [&]() -> awaitable<void> { answer = co_await exchange(method, body); };
    auto asking = ask();
    co_await withDeadline(std::move(asking), longestCall, fmt::format("rclone did not answer {} in time.", method));
    co_return answer;
}

awaitable<nlohmann::json> RemoteControl::exchange(std::string method, std::string body) const {
    const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port_);
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(endpoint, asio::use_awaitable);

    http::request<http::string_body> request(http::verb::post, "/" + method, 11);
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::content_type, "application/json");
    request.set(http::field::authorization, "Basic " + base64(fmt::format("{}:{}", user, password_)));
    request.keep_alive(false);
    request.body() = std::move(body);
    request.prepare_payload();
    co_await http::async_write(socket, request, asio::use_awaitable);

    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> response;
    response.body_limit(longestAnswer);
    co_await http::async_read(socket, buffer, response, asio::use_awaitable);
    if (response.get().result() != http::status::ok) {
        throw Error(fmt::format("rclone answered {} with status {}.", method, response.get().result_int()));
    }
    co_return nlohmann::json::parse(response.get().body());
}

} // namespace holdfast
