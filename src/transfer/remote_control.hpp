#pragma once

#include "util/asio.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

/// rclone's remote control (rclone docs, "Remote controlling rclone with its API") on a free port of the loopback, with
/// a password of its own: Unix sockets came with rclone 1.61 only.
class RemoteControl {
  public:
    RemoteControl();

    /// Flags with which an rclone command serves it.
    [[nodiscard]] static std::vector<std::string> flags() { return {"--rc", "--rc-addr=127.0.0.1:0"}; }
    /// The password, for the command's environment: arguments are for everybody to see.
    [[nodiscard]] std::vector<std::string> environment() const;
    /// Takes the port from what the command wrote to standard error; false while it has not told it yet.
    bool findPort(const std::string& errorOutput);

    /// One call ("core/stats"), bounded in time. Throws `Error` or `boost::system::system_error` if it is not answered.
    awaitable<nlohmann::json> call(std::string method, nlohmann::json parameters) const;

  private:
    awaitable<nlohmann::json> exchange(std::string method, std::string body) const;

    std::string password_;
    unsigned short port_ = 0;
};

} // namespace holdfast
