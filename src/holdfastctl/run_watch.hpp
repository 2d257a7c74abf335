#pragma once

#include "holdfastctl/client.hpp"
#include "util/fd.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast::ctl {

/// Sees a run change. What the signals say is merged into run(); whenever they could have been missed it is read anew,
/// so it is never older than the last thing that the service said.
class RunWatch {
  public:
    /// Throws `ServiceError` if there is no such run. From here on SIGINT and SIGTERM wait for wait().
    RunWatch(Client& client, const std::string& id);
    ~RunWatch();
    RunWatch(const RunWatch&) = delete;
    RunWatch& operator=(const RunWatch&) = delete;

    [[nodiscard]] const nlohmann::json& run() const { return run_; }
    [[nodiscard]] bool finished() const { return !run_.value("result", "").empty(); }

    enum class Event { Changed, ServiceGone, Signalled, Nothing };
    /// Returns at the first of: a change, the service going away, a signal, `limit`.
    Event wait(std::chrono::milliseconds limit);
    /// Asks the service, and starts it if it is gone.
    void read();

  private:
    void subscribe();
    void takeChanges(const VariantMap& changed);
    Event poll(std::chrono::milliseconds limit);

    Client& client_;
    std::string id_;
    nlohmann::json run_;
    bool changed_ = false;
    bool stale_ = false;
    bool gone_ = false;
    Fd signals_;
    std::vector<std::unique_ptr<sdbus::IProxy>> proxies_;
};

} // namespace holdfast::ctl
