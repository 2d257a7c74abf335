#include "source/volume_choice.hpp"

#include "source/mount_overlap.hpp"
#include "source/stop_list.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

/// As engines allow. A manifest is not trusted: its names go into paths and requests.
bool isVolumeName(const std::string& name) {
    constexpr auto letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return !name.empty() && name.find_first_of("_.-") != 0 && name.find_first_not_of(letters) == name.npos;
}

/// The field "name" of each of a list of objects.
Names namesIn(const nlohmann::json& fields, const char* list) {
    Names names;
    if (!fields.is_object() || !fields.contains(list) || !fields[list].is_array()) return names;
    for (const auto& one : fields[list]) {
        if (one.is_object() && one.contains("name") && one["name"].is_string()) names.push_back(one["name"]);
    }
    return names;
}

VolumeChoice parseChoice(const std::string& text) {
    const auto colon = text.find(':');
    if (colon == text.npos) return {text, text};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

void demandDifferent(const std::vector<VolumeChoice>& choices) {
    std::set<std::string> from;
    std::set<std::string> to;
    for (const auto& choice : choices) {
        if (!from.insert(choice.from).second) {
            throw Error(fmt::format("The volume {} is to be restored twice; do that with two restores.", choice.from));
        }
        if (!to.insert(choice.to).second) {
            throw Error(fmt::format("Two volumes are to be restored into the volume {}.", choice.to));
        }
    }
}

dev_t deviceOf(const fs::path& folder) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) < 0) throwErrno("look at " + folder.string());
    return info.st_dev;
}

awaitable<VolumeToRead> locate(Engine engine, std::string name) {
    const auto volume = co_await engine.volume(name);
    if (!volume) {
        throw Error(fmt::format("There is no volume \"{}\" at {} to restore into: make it first, with the options that "
                                "it had, or restore into another volume.",
                                name, engine.socket().string()));
    }
    try {
        co_return locateVolume(*volume);
    } catch (const Error& e) {
        throw Error(fmt::format("Nothing can be restored into the volume {}. {}", name, e.what()));
    }
}

void demandReplaceable(const VolumeToRead& volume, const VolumeToRead& first) {
    const auto device = deviceOf(volume.folder.parent_path());
    if (device != volume.device) {
        throw Error(fmt::format("The volume {} is a file system of its own, mounted at {}, which cannot be replaced; "
                                "restore to a folder instead.",
                                volume.name, volume.folder.string()));
    }
    if (device != first.device) {
        throw Error(fmt::format("The volumes {} and {} lie on different file systems; restore them one at a time.",
                                first.name, volume.name));
    }
}

void refusePaused(const EngineContainer& container) {
    if (!container.paused) return;
    throw Error(fmt::format("The container {}, which uses what is to be restored, is paused: unpause it, or stop it, "
                            "first.",
                            container.name));
}

void refuseOneThatRemovesItself(const EngineContainer& container) {
    if (!container.removesItself) return;
    throw Error(fmt::format("The container {}, which is in the way of what is to be restored, would remove itself when "
                            "it is stopped (--rm), so that it could not be started again. Stop what runs it first.",
                            container.name));
}

} // namespace

std::vector<VolumeChoice> chooseVolumes(const nlohmann::json& fields, const Names& wanted) {
    const auto there = namesIn(fields, "volumes");
    std::vector<VolumeChoice> choices;
    for (const auto& text : wanted) choices.push_back(parseChoice(text));
    if (wanted.empty()) {
        for (const auto& name : there) choices.push_back({name, name});
    }
    if (choices.empty()) throw Error("The manifest of this backup names no volumes; restore it to a folder.");
    for (const auto& choice : choices) {
        if (std::find(there.begin(), there.end(), choice.from) == there.end()) {
            throw Error(
                fmt::format("There is no volume {} in this backup. It has {}.", choice.from, fmt::join(there, ", ")));
        }
        if (!isVolumeName(choice.from) || !isVolumeName(choice.to)) {
            throw Error(fmt::format("\"{}\" is not a name that a volume can have.",
                                    isVolumeName(choice.from) ? choice.to : choice.from));
        }
    }
    demandDifferent(choices);
    return choices;
}

awaitable<std::vector<VolumeToRead>> locateChosen(Engine engine, std::vector<VolumeChoice> choices) {
    std::vector<VolumeToRead> volumes;
    for (const auto& choice : choices) {
        auto volume = co_await locate(engine, choice.to);
        volumes.push_back(std::move(volume));
        demandReplaceable(volumes.back(), volumes.front());
    }
    refuseOverlap(volumes, "Restore them one at a time.");
    co_return volumes;
}

awaitable<std::vector<EngineContainer>> usersOf(Engine engine, std::vector<VolumeToRead> volumes, Names first) {
    auto all = co_await engine.all();
    auto listed = co_await viewersOf(engine, std::move(volumes), std::move(all));
    const auto rank = [&](const EngineListed& one) {
        return std::find(first.begin(), first.end(), one.name) - first.begin();
    };
    std::stable_sort(listed.begin(), listed.end(), [&](const EngineListed& a, const EngineListed& b) {
        return rank(a) != rank(b) ? rank(a) < rank(b) : a.created > b.created;
    });
    std::vector<EngineContainer> users;
    for (const auto& one : listed) {
        auto container = co_await engine.container(one.id);
        if (container && container->running) users.push_back(std::move(*container));
    }
    for (const auto& user : users) refusePaused(user);
    auto complete = co_await completeStopList(engine, std::move(users));
    for (const auto& container : complete) refuseOneThatRemovesItself(container);
    co_return complete;
}

Names containersNamed(const nlohmann::json& fields) { return namesIn(fields, "containers"); }

} // namespace holdfast
