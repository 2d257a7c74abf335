#pragma once

#include "util/asio.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

struct EngineMount {
    std::string type;        ///< "volume", "bind", "tmpfs", …
    std::string volume;      ///< name of the volume; empty for other types
    std::string source;      ///< path on this machine; may be empty
    std::string destination; ///< path in the container
    bool writable = true;
};

struct EngineContainer {
    std::string id;
    std::string name; ///< without the slash that the API puts in front
    std::string image;
    bool running = false;
    bool paused = false;        ///< its processes are frozen; `running` is true as well
    bool removesItself = false; ///< as soon as it stops (--rm)
    int exitCode = 0;
    std::string startedAt;                           ///< RFC 3339
    std::string finishedAt;                          ///< RFC 3339; of the year 1 for one that has never ended
    std::optional<std::chrono::seconds> stopTimeout; ///< its own; negative: waits for ever
    std::vector<EngineMount> mounts;
    std::map<std::string, std::string> labels;
    std::vector<std::string> sharesWith; ///< ids or names of those whose namespaces (network, pid, …) are its own too
    std::vector<std::string> linkedTo;   ///< names of those that must run when it starts

    /// By its name, or by its id (12 digits at least).
    [[nodiscard]] bool isCalled(const std::string& nameOrId) const;
};

/// What the list of running containers tells of one.
struct EngineListed {
    std::string id;
    std::string name;
    std::int64_t created = 0; ///< seconds since the epoch
    bool paused = false;
    std::vector<EngineMount> mounts;
};

struct EngineVolume {
    std::string name;
    std::string driver;
    std::string mountpoint; ///< empty where the driver has none
    std::map<std::string, std::string> options;
};

struct EngineVersion {
    std::string name; ///< "Docker", "Podman"
    std::string version;
};

/// A container engine behind its unix socket: Docker's Engine API, which Podman serves too. Paths carry no version, so
/// that the engine speaks its newest: what is read here has been there in all of them. Every call is bounded in time
/// and throws `EngineAway` if nobody answers, `Error` with what the engine said otherwise.
class Engine {
  public:
    explicit Engine(std::filesystem::path socket) : socket_(std::move(socket)) {}

    /// The socket that the job names; else the first that is there of Docker's and Podman's. Throws `EngineAway`.
    static std::filesystem::path findSocket(const std::optional<std::string>& configured);

    [[nodiscard]] const std::filesystem::path& socket() const { return socket_; }

    awaitable<EngineVersion> version() const;
    /// By its name, or by its id (12 digits at least). Nothing if there is none: the engine itself takes less for a
    /// match.
    awaitable<std::optional<EngineContainer>> container(std::string nameOrId) const;
    awaitable<std::optional<EngineVolume>> volume(std::string name) const;
    /// Of Podman, the process that watches over a container that runs.
    awaitable<std::optional<std::int64_t>> monitorOf(std::string id) const;
    awaitable<std::vector<EngineListed>> running() const;
    /// Those that do not run, too. Podman counts the paused ones to them.
    awaitable<std::vector<EngineListed>> all() const;

    /// Tells the container to end and waits until it has. After its own stop timeout (the engine's default is 10 s) the
    /// engine kills it. One that does not run, or is gone, is fine.
    awaitable<void> stop(EngineContainer container) const;
    /// One that runs already is fine. Throws `Error` naming the container if it is gone.
    awaitable<void> start(std::string id, std::string name) const;

  private:
    awaitable<std::vector<EngineListed>> list(std::string target) const;

    std::filesystem::path socket_;
};

} // namespace holdfast
