#pragma once

#include "source/docker_survey.hpp"
#include "source/engine.hpp"
#include "util/asio.hpp"

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// A volume of a backup, and the volume that it is restored into.
struct VolumeChoice {
    std::string from;
    std::string to;
};

/// What `wanted` ("NAME", or "NAME:OTHER" for another volume) chooses of the volumes that a manifest's fields name; all
/// if it is empty. Throws `Error` for what the backup does not have and for two that would go into one.
std::vector<VolumeChoice> chooseVolumes(const nlohmann::json& fields, const std::vector<std::string>& wanted);

/// Where the files of the volumes lie. Throws `Error` for a volume that is not there, that is mounted on demand, that
/// is a file system of its own, or that does not lie on the same file system as the others.
awaitable<std::vector<VolumeToRead>> locateChosen(Engine engine, std::vector<VolumeChoice> choices);

/// Of the containers that run, those that use one of the volumes, even if only to read: what is replaced beneath them
/// they would not see; and what goes with them (completeStopList()). In the order in which to stop them: `first`
/// (names), then the newest first. Throws `Error` for one that could not be started again as it was.
awaitable<std::vector<EngineContainer>> usersOf(Engine engine, std::vector<VolumeToRead> volumes,
                                                std::vector<std::string> first);

/// The containers that a manifest's fields name, in the order in which the backup stopped them.
std::vector<std::string> containersNamed(const nlohmann::json& fields);

} // namespace holdfast
