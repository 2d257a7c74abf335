#include "source/docker_survey.hpp"

#include "source/mount_overlap.hpp"
#include "source/stop_list.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

void addOnce(Names& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

bool has(const std::vector<EngineContainer>& containers, const std::string& id) {
    return std::any_of(containers.begin(), containers.end(),
                       [&](const EngineContainer& container) { return container.id == id; });
}

awaitable<EngineContainer> demandContainer(Engine engine, std::string name) {
    auto container = co_await engine.container(name);
    if (!container) {
        throw Error(fmt::format("There is no container \"{}\" at {}. Correct containerName in the job.", name,
                                engine.socket().string()));
    }
    co_return std::move(*container);
}

awaitable<EngineVolume> demandVolume(Engine engine, std::string name) {
    auto volume = co_await engine.volume(name);
    if (!volume) {
        throw Error(fmt::format("There is no volume \"{}\" at {}. Correct volumeName in the job.", name,
                                engine.socket().string()));
    }
    co_return std::move(*volume);
}

std::vector<BindMount> bindMounts(const std::vector<EngineContainer>& containers) {
    std::vector<BindMount> found;
    for (const auto& container : containers) {
        for (const auto& mount : container.mounts) {
            if (mount.type == "bind") found.push_back({container.name, mount.source, mount.destination});
        }
    }
    return found;
}

/// The job's own first, then those of its containers.
Names volumeNames(const DockerConfig& config, const std::vector<EngineContainer>& containers) {
    Names names;
    for (const auto& name : config.volumeName) addOnce(names, name);
    for (const auto& container : containers) {
        for (const auto& mount : container.mounts) {
            if (!mount.volume.empty()) addOnce(names, mount.volume);
        }
    }
    return names;
}

void refuseNothingToRead(const DockerSurvey& survey) {
    if (!survey.volumes.empty()) return;
    Names names;
    Names folders;
    for (const auto& container : survey.named) names.push_back(container.name);
    for (const auto& bind : survey.leftOut) folders.push_back(bind.source);
    auto message = fmt::format("There is nothing to back up: no volume is mounted in {}.", fmt::join(names, ", "));
    if (!folders.empty()) {
        message += fmt::format(" Folders of this machine that it uses ({}) are no volumes: back them up with a job of "
                               "their own, of type none.",
                               fmt::join(folders, ", "));
    }
    throw Error(message);
}

bool isBelow(const fs::path& inner, const fs::path& outer) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

void refuseWhatCannotBeStopped(const std::vector<EngineContainer>& toStop) {
    for (const auto& container : toStop) {
        if (!container.removesItself) continue;
        throw Error(fmt::format("The container {} would remove itself when it is stopped (--rm), so that it could not "
                                "be started again. Stop what runs it before the backup, or run it without --rm.",
                                container.name));
    }
}

/// The newest first: what depends on another container was made after it, as a rule.
awaitable<void> addOtherWriters(Engine engine, DockerSurvey& survey) {
    auto running = co_await engine.running();
    auto writers = co_await writersOf(engine, survey.volumes, std::move(running));
    std::stable_sort(writers.begin(), writers.end(),
                     [](const EngineListed& a, const EngineListed& b) { return a.created > b.created; });
    for (const auto& writer : writers) {
        if (has(survey.toStop, writer.id)) continue;
        auto container = co_await engine.container(writer.id);
        if (container && container->running && !container->paused) survey.toStop.push_back(std::move(*container));
    }
}

std::string option(const EngineVolume& volume, const char* name) {
    const auto found = volume.options.find(name);
    return found == volume.options.end() ? "" : found->second;
}

/// Whether mount(8) options such as "rw,bind" have one of the name.
bool hasMountOption(const std::string& options, const std::string& name) {
    return fmt::format(",{},", options).find("," + name + ",") != std::string::npos;
}

fs::path folderOf(const EngineVolume& volume) {
    const auto device = option(volume, "device");
    if (volume.driver != "local" || device.empty()) return volume.mountpoint;
    const auto options = option(volume, "o");
    const bool isBind = hasMountOption(options, "bind") || hasMountOption(options, "rbind");
    if (isBind && device.starts_with('/')) return device;
    throw Error(fmt::format("The volume {} cannot be read: the engine mounts it ({}) only while a container uses it. "
                            "Back up what it mounts.",
                            volume.name, device));
}

} // namespace

VolumeToRead locateVolume(const EngineVolume& volume) {
    VolumeToRead found{volume.name, volume.driver, folderOf(volume).lexically_normal(), 0, 0};
    struct stat info {};
    std::error_code unreadable;
    const bool isFolder =
        found.folder.is_absolute() && ::stat(found.folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    // A driver that mounts on demand leaves an empty folder where no container has made it do so.
    const bool isAway = volume.driver != "local" && fs::is_empty(found.folder, unreadable);
    if (!isFolder || isAway || unreadable) {
        throw Error(fmt::format("The volume {} cannot be read: its driver \"{}\" has no folder with its files on this "
                                "machine{}.",
                                volume.name, volume.driver,
                                found.folder.empty() ? "" : fmt::format(" (it names {})", found.folder.string())));
    }
    found.folder = fs::canonical(found.folder); // tar would store a symlink, not what it points to
    found.device = info.st_dev;
    found.inode = info.st_ino;
    return found;
}

void refuseOverlap(const std::vector<VolumeToRead>& volumes, std::string_view advice) {
    for (const auto& outer : volumes) {
        for (const auto& inner : volumes) {
            if (&outer == &inner || !isBelow(inner.folder, outer.folder)) continue;
            throw Error(fmt::format("The volumes {} and {} overlap: {} lies in {}. {}", outer.name, inner.name,
                                    inner.folder.string(), outer.folder.string(), advice));
        }
    }
}

void demandSameFolders(const std::vector<VolumeToRead>& volumes) {
    for (const auto& volume : volumes) {
        struct stat info {};
        const bool isThere = ::stat(volume.folder.c_str(), &info) == 0;
        if (isThere && info.st_dev == volume.device && info.st_ino == volume.inode) continue;
        throw Error(fmt::format("The volume {} cannot be read: its driver \"{}\" takes {} away when no container uses "
                                "it.",
                                volume.name, volume.driver, volume.folder.string()));
    }
}

awaitable<DockerSurvey> surveyEngine(Engine engine, DockerConfig config) {
    DockerSurvey survey;
    survey.engine = co_await engine.version();
    for (const auto& name : config.containerName) {
        auto container = co_await demandContainer(engine, name);
        if (has(survey.named, container.id)) continue;
        if (container.running && !container.paused) survey.toStop.push_back(container);
        survey.named.push_back(std::move(container));
    }
    survey.leftOut = bindMounts(survey.named);
    const auto names = volumeNames(config, survey.named);
    for (const auto& name : names) {
        const auto volume = co_await demandVolume(engine, name);
        survey.volumes.push_back(locateVolume(volume));
    }
    refuseNothingToRead(survey);
    refuseOverlap(survey.volumes, "Back them up with two jobs.");
    co_await addOtherWriters(engine, survey);
    survey.toStop = co_await completeStopList(engine, survey.toStop);
    refuseWhatCannotBeStopped(survey.toStop);
    co_return survey;
}

} // namespace holdfast
