#include "source/stop_list.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

using Containers = std::vector<EngineContainer>;

bool namesOne(const std::vector<std::string>& names, const EngineContainer& container) {
    return std::any_of(names.begin(), names.end(), [&](const auto& name) { return container.isCalled(name); });
}

bool needs(const EngineContainer& container, const EngineContainer& other) {
    return namesOne(container.sharesWith, other) || namesOne(container.linkedTo, other);
}

/// The container of the list whose namespace `container` is in, too.
const EngineContainer* ownerOfNamespace(const EngineContainer& container, const Containers& list) {
    const auto owner =
        std::find_if(list.begin(), list.end(), [&](const auto& one) { return namesOne(container.sharesWith, one); });
    return owner == list.end() ? nullptr : &*owner;
}

bool isIn(const Containers& list, const EngineContainer& container) {
    return std::any_of(list.begin(), list.end(), [&](const auto& one) { return one.id == container.id; });
}

awaitable<Containers> runningContainers(Engine engine) {
    const auto listed = co_await engine.running();
    Containers running;
    for (const auto& one : listed) {
        auto container = co_await engine.container(one.id);
        if (container && container->running) running.push_back(std::move(*container));
    }
    co_return running;
}

/// One that shares with one that shares, too.
void addSharers(Containers& toStop, const Containers& running) {
    for (bool more = true; std::exchange(more, false);) {
        for (const auto& container : running) {
            const auto* owner = ownerOfNamespace(container, toStop);
            if (owner == nullptr || isIn(toStop, container)) continue;
            if (container.paused) {
                throw Error(fmt::format("The container {} is paused and lives in a namespace of {}, which would have "
                                        "to be stopped: unpause it, or stop it, first.",
                                        container.name, owner->name));
            }
            toStop.push_back(container);
            more = true;
        }
    }
}

// --- containers that somebody else starts and stops
// --------------------------------------------------------------------

struct Orchestrator {
    const char* label;
    const char* name;
};

constexpr std::array orchestrators{
    Orchestrator{"com.docker.swarm.task.id", "Docker Swarm"}, Orchestrator{"io.kubernetes.pod.name", "Kubernetes"},
    Orchestrator{"com.hashicorp.nomad.alloc_id", "Nomad"}, Orchestrator{"com.amazonaws.ecs.task-arn", "Amazon ECS"}};

void refuseOrchestrated(const EngineContainer& container) {
    for (const auto& [label, name] : orchestrators) {
        if (!container.labels.contains(label)) continue;
        throw Error(fmt::format("The container {0} belongs to {1}, which starts another in its place as soon as it is "
                                "stopped. Have {1} stop it for the time of the run.",
                                container.name, name));
    }
}

/// systemd keeps a link of this name for each unit that is active.
bool isActiveUnit(const std::string& unit) {
    if (unit.find('/') != unit.npos) return false;
    return fs::is_symlink(fs::symlink_status("/run/systemd/units/invocation:" + unit));
}

bool lists(const fs::path& processes, std::int64_t pid) {
    std::ifstream file(processes);
    for (std::int64_t one = 0; file >> one;) {
        if (one == pid) return true;
    }
    return false;
}

/// The service in whose cgroup the process is. (/proc/PID/cgroup says so too, but a run's sandbox hides it.)
std::optional<std::string> serviceOfProcess(std::int64_t pid) {
    const fs::path all = "/sys/fs/cgroup";
    const fs::path systemd = all / "systemd"; // where there are controllers beside it
    std::error_code unreadable;
    const auto root = fs::exists(systemd, unreadable) ? systemd : all;
    for (fs::recursive_directory_iterator at(root, unreadable), end; !unreadable && at != end;
         at.increment(unreadable)) {
        if (at->path().filename() != "cgroup.procs" || !lists(at->path(), pid)) continue;
        const auto group = at->path().parent_path();
        const auto service = std::find_if(group.begin(), group.end(),
                                          [](const fs::path& part) { return part.extension() == ".service"; });
        if (service != group.end()) return service->string();
        return std::nullopt;
    }
    return std::nullopt;
}

/// The unit of which a container of Podman is the main process. What Podman's own service has started is nobody's.
awaitable<std::optional<std::string>> unitThatRuns(Engine engine, EngineContainer container) {
    const auto label = container.labels.find("PODMAN_SYSTEMD_UNIT");
    if (label != container.labels.end() && isActiveUnit(label->second)) co_return label->second;
    const auto monitor = co_await engine.monitorOf(container.id);
    if (!monitor || *monitor <= 0) co_return std::nullopt;
    auto service = serviceOfProcess(*monitor);
    if (service && service->starts_with("podman")) co_return std::nullopt;
    co_return service;
}

awaitable<void> refuseSomebodyElses(Engine engine, EngineContainer container) {
    refuseOrchestrated(container);
    const auto unit = co_await unitThatRuns(engine, container);
    if (!unit) co_return;
    throw Error(fmt::format("The container {} is run by the systemd unit {}, which would end with it and not be there "
                            "when the container is started again. Stop the unit for the time of the run.",
                            container.name, *unit));
}

} // namespace

std::vector<EngineContainer> inOrderOfNeed(std::vector<EngineContainer> containers) {
    Containers ordered;
    while (!containers.empty()) {
        const auto isNeeded = [&](const EngineContainer& container) {
            return std::any_of(containers.begin(), containers.end(),
                               [&](const auto& other) { return other.id != container.id && needs(other, container); });
        };
        auto next = std::find_if_not(containers.begin(), containers.end(), isNeeded);
        if (next == containers.end()) next = containers.begin(); // in a circle, any will do
        ordered.push_back(std::move(*next));
        containers.erase(next);
    }
    return ordered;
}

awaitable<std::vector<EngineContainer>> completeStopList(Engine engine, std::vector<EngineContainer> toStop) {
    if (toStop.empty()) co_return toStop;
    const auto running = co_await runningContainers(engine);
    addSharers(toStop, running);
    for (const auto& container : toStop) co_await refuseSomebodyElses(engine, container);
    co_return inOrderOfNeed(std::move(toStop));
}

} // namespace holdfast
