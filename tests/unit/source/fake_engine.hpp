#pragma once

#include "source/engine.hpp"
#include "util/error.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace holdfast {

/// "HTTP/1.1 200 …" with a body.
inline std::string httpAnswer(int status, const std::string& body = "") {
    return fmt::format("HTTP/1.1 {} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                       body.size(), body);
}

/// What a container engine does only when it is sick: a server on a unix socket that answers as a script tells it to.
class FakeEngine {
  public:
    /// Takes "GET /containers/web/json" and returns all bytes of the answer; none closes the connection.
    using Script = std::function<std::string(const std::string&)>;

    FakeEngine(std::string path, Script script) : path_(std::move(path)), script_(std::move(script)) {
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) throwErrno("bind");
        if (::listen(listener_, 16) < 0) throwErrno("listen");
        thread_ = std::thread([this] { serve(); });
    }
    FakeEngine(const FakeEngine&) = delete;
    FakeEngine& operator=(const FakeEngine&) = delete;
    ~FakeEngine() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
        ::unlink(path_.c_str());
    }

    [[nodiscard]] Engine client() const { return Engine(path_); }
    [[nodiscard]] std::vector<std::string> requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    /// Those that change something.
    [[nodiscard]] std::vector<std::string> orders() {
        auto orders = requests();
        std::erase_if(orders, [](const std::string& request) { return !request.starts_with("POST"); });
        return orders;
    }

  private:
    void serve() {
        for (int client = 0; (client = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(client)) answer(client);
    }

    void answer(int client) {
        std::string request;
        char buffer[4096];
        while (request.find("\r\n\r\n") == request.npos) {
            const auto got = ::read(client, buffer, sizeof buffer);
            if (got <= 0) return;
            request.append(buffer, static_cast<std::size_t>(got));
        }
        const auto line = request.substr(0, request.find(" HTTP/"));
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(line);
        }
        const auto reply = script_(line);
        if (::send(client, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return;
    }

    std::string path_;
    Script script_;
    int listener_ = -1;
    std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

} // namespace holdfast
