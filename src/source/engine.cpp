#include "source/engine.hpp"

#include "source/engine_http.hpp"
#include "util/error.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr auto answerLimit = 30s;
constexpr auto startLimit = 60s;
constexpr auto usualStopTimeout = 10s; // of both engines
constexpr auto stopMargin = 30s;       // to kill, unmount and write down

// --- what engines say, in which any field may be null or absent ------------------------------------------------------

const json& field(const json& object, const char* name) {
    static const json none;
    if (!object.is_object()) return none;
    const auto found = object.find(name);
    return found == object.end() ? none : *found;
}

std::string text(const json& object, const char* name) {
    const auto& value = field(object, name);
    return value.is_string() ? value.get<std::string>() : "";
}

bool flag(const json& object, const char* name) {
    const auto& value = field(object, name);
    return value.is_boolean() && value.get<bool>();
}

template<typename Number>
std::optional<Number> number(const json& object, const char* name) {
    const auto& value = field(object, name);
    return value.is_number_integer() ? std::optional<Number>(value.get<Number>()) : std::nullopt;
}

std::string withoutSlash(std::string name) { return name.starts_with('/') ? name.substr(1) : name; }

std::vector<EngineMount> mountsIn(const json& object) {
    std::vector<EngineMount> mounts;
    for (const auto& mount : field(object, "Mounts")) {
        const auto& writable = field(mount, "RW");
        mounts.push_back({.type = text(mount, "Type"),
                          .volume = text(mount, "Type") == "volume" ? text(mount, "Name") : "",
                          .source = text(mount, "Source"),
                          .destination = text(mount, "Destination"),
                          .writable = !writable.is_boolean() || writable.get<bool>()});
    }
    return mounts;
}

std::map<std::string, std::string> textsIn(const json& object) {
    std::map<std::string, std::string> texts;
    if (!object.is_object()) return texts;
    for (const auto& [name, value] : object.items()) {
        if (value.is_string()) texts[name] = value;
    }
    return texts;
}

/// Modes such as "container:ID".
std::vector<std::string> sharedNamespaces(const json& hostConfig) {
    constexpr std::string_view other = "container:";
    std::vector<std::string> found;
    for (const auto* kind : {"NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode"}) {
        const auto mode = text(hostConfig, kind);
        if (mode.starts_with(other)) found.push_back(mode.substr(other.size()));
    }
    return found;
}

/// Entries such as "/other:/this/alias".
std::vector<std::string> linksIn(const json& hostConfig) {
    std::vector<std::string> found;
    for (const auto& link : field(hostConfig, "Links")) {
        if (!link.is_string()) continue;
        const auto words = link.get<std::string>();
        found.push_back(withoutSlash(words.substr(0, words.find(':'))));
    }
    return found;
}

/// Podman calls a container that it was stopping when it was killed itself "stopping", and not running, for ever after:
/// its processes live, and it can be stopped but not started.
bool isRunning(const json& state) {
    return flag(state, "Running") || flag(state, "Restarting") || flag(state, "Paused") ||
           text(state, "Status") == "stopping";
}

EngineContainer containerIn(const json& object) {
    const auto& state = field(object, "State");
    const auto& config = field(object, "Config");
    EngineContainer container;
    container.id = text(object, "Id");
    container.name = withoutSlash(text(object, "Name"));
    container.image = text(config, "Image");
    container.running = isRunning(state);
    container.paused = flag(state, "Paused");
    container.removesItself = flag(field(object, "HostConfig"), "AutoRemove");
    container.exitCode = number<int>(state, "ExitCode").value_or(0);
    container.startedAt = text(state, "StartedAt");
    container.finishedAt = text(state, "FinishedAt");
    if (const auto timeout = number<std::int64_t>(config, "StopTimeout")) {
        container.stopTimeout = std::chrono::seconds(*timeout);
    }
    container.mounts = mountsIn(object);
    container.labels = textsIn(field(config, "Labels"));
    container.sharesWith = sharedNamespaces(field(object, "HostConfig"));
    container.linkedTo = linksIn(field(object, "HostConfig"));
    return container;
}

EngineListed listedIn(const json& object) {
    const auto& names = field(object, "Names");
    EngineListed listed;
    listed.id = text(object, "Id");
    if (names.is_array() && !names.empty() && names[0].is_string()) listed.name = withoutSlash(names[0]);
    listed.created = number<std::int64_t>(object, "Created").value_or(0);
    listed.paused = text(object, "State") == "paused";
    listed.mounts = mountsIn(object);
    return listed;
}

EngineVolume volumeIn(const json& object) {
    return {text(object, "Name"), text(object, "Driver"), text(object, "Mountpoint"),
            textsIn(field(object, "Options"))};
}

// --- asking ----------------------------------------------------------------------------------------------------------

EngineRequest get(std::string target) { return {false, std::move(target)}; }
EngineRequest post(std::string target) { return {true, std::move(target)}; }

std::string said(const EngineAnswer& answer) {
    auto message = text(json::parse(answer.body, nullptr, false), "message");
    return message.empty() ? fmt::format("HTTP status {}", answer.status) : message;
}

[[noreturn]] void fail(const std::string& doing, const EngineAnswer& answer) {
    throw Error(fmt::format("The container engine could not {}. It said: {}", doing, said(answer)));
}

json parsed(const std::string& doing, const EngineAnswer& answer) {
    if (answer.status != 200) fail(doing, answer);
    auto value = json::parse(answer.body, nullptr, false);
    if (value.is_discarded()) {
        throw Error(fmt::format("The container engine could not {}: its answer is not JSON.", doing));
    }
    return value;
}

/// How long the engine may take to stop a container: it kills one that does not end.
std::chrono::microseconds stopLimit(const EngineContainer& container) {
    const auto timeout = container.stopTimeout.value_or(usualStopTimeout);
    if (timeout < 0s) return 24h; // as long as it takes; whoever calls has a limit of its own
    return timeout + stopMargin;
}

} // namespace

bool EngineContainer::isCalled(const std::string& nameOrId) const {
    constexpr std::size_t shortId = 12;
    return name == nameOrId || (nameOrId.size() >= shortId && id.starts_with(nameOrId));
}

fs::path Engine::findSocket(const std::optional<std::string>& configured) {
    if (configured) return *configured;
    constexpr std::array usual{"/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"};
    for (const auto* path : usual) {
        std::error_code absent;
        if (fs::is_socket(path, absent)) return path;
    }
    throw EngineAway(
        fmt::format("There is no container engine on this machine: none of {} is there. Start Docker, or "
                    "Podman's API with \"systemctl start podman.socket\", or name its socket with engineSocket.",
                    fmt::join(usual, ", ")));
}

awaitable<EngineVersion> Engine::version() const {
    auto request = get("/version");
    const auto answer = co_await askEngine(socket_, std::move(request), answerLimit);
    const auto told = parsed("tell its version", answer);
    EngineVersion version{"Docker", text(told, "Version")};
    for (const auto& component : field(told, "Components")) {
        if (text(component, "Name").find("Podman") != std::string::npos) version.name = "Podman";
    }
    co_return version;
}

awaitable<std::optional<EngineContainer>> Engine::container(std::string nameOrId) const {
    auto request = get(fmt::format("/containers/{}/json", nameOrId));
    const auto answer = co_await askEngine(socket_, std::move(request), answerLimit);
    if (answer.status == 404) co_return std::nullopt;
    auto container = containerIn(parsed("describe the container " + nameOrId, answer));
    if (!container.isCalled(nameOrId)) co_return std::nullopt;
    co_return container;
}

awaitable<std::optional<EngineVolume>> Engine::volume(std::string name) const {
    auto request = get(fmt::format("/volumes/{}", name));
    const auto answer = co_await askEngine(socket_, std::move(request), answerLimit);
    if (answer.status == 404) co_return std::nullopt;
    auto volume = volumeIn(parsed("describe the volume " + name, answer));
    if (volume.name != name) co_return std::nullopt;
    co_return volume;
}

awaitable<std::optional<std::int64_t>> Engine::monitorOf(std::string id) const {
    auto request = get(fmt::format("/v4.0.0/libpod/containers/{}/json", id)); // Docker knows no such thing
    const auto answer = co_await askEngine(socket_, std::move(request), answerLimit);
    if (answer.status != 200) co_return std::nullopt;
    const auto told = parsed("describe the container " + id, answer);
    co_return number<std::int64_t>(field(told, "State"), "ConmonPid");
}

awaitable<std::vector<EngineListed>> Engine::running() const { return list("/containers/json"); }

awaitable<std::vector<EngineListed>> Engine::all() const { return list("/containers/json?all=true"); }

awaitable<std::vector<EngineListed>> Engine::list(std::string target) const {
    auto request = get(std::move(target));
    const auto answer = co_await askEngine(socket_, std::move(request), answerLimit);
    const auto told = parsed("list its containers", answer);
    std::vector<EngineListed> found;
    for (const auto& object : told) found.push_back(listedIn(object));
    co_return found;
}

awaitable<void> Engine::stop(EngineContainer container) const {
    auto request = post(fmt::format("/containers/{}/stop", container.id));
    const auto answer = co_await askEngine(socket_, std::move(request), stopLimit(container));
    const bool stopped = answer.status == 204 || answer.status == 304 || answer.status == 404;
    if (!stopped) fail("stop the container " + container.name, answer);
}

awaitable<void> Engine::start(std::string id, std::string name) const {
    auto request = post(fmt::format("/containers/{}/start", id));
    const auto answer = co_await askEngine(socket_, std::move(request), startLimit);
    const bool started = answer.status == 204 || answer.status == 304;
    if (!started) fail(fmt::format("start the container {} again", name), answer);
}

} // namespace holdfast
