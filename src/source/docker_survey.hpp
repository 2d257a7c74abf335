#pragma once

#include "job/job.hpp"
#include "source/engine.hpp"
#include "util/asio.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace holdfast {

/// A volume that is to be read.
struct VolumeToRead {
    std::string name;
    std::string driver;
    std::filesystem::path folder; ///< where its files lie on this machine
    dev_t device = 0;             ///< of the folder, and its inode: a folder that something is mounted over has others
    ino_t inode = 0;
};

/// A folder of this machine that a named container uses. It is not a volume and is left out.
struct BindMount {
    std::string container;
    std::string source;
    std::string destination;
};

/// What a docker run is about.
struct DockerSurvey {
    EngineVersion engine;
    std::vector<VolumeToRead> volumes;
    std::vector<EngineContainer> named;  ///< in the job's order
    std::vector<EngineContainer> toStop; ///< run now, in the order in which to stop them
    std::vector<BindMount> leftOut;
};

/// Asks the engine what there is and changes nothing. To stop are: the named containers, then whatever else may write
/// to one of the volumes, the newest first, and what goes with them (completeStopList()). Throws `Error` for what is
/// not there, cannot be read, or could not be started again.
awaitable<DockerSurvey> surveyEngine(Engine engine, DockerConfig config);

/// Where a volume's files lie, whether a container uses it or not. Throws `Error` if nowhere: the engine then mounts it
/// for its containers only, and what its folder shows without them is empty.
VolumeToRead locateVolume(const EngineVolume& volume);

/// Throws `Error`, which ends in `advice`, if one volume lies in another: each file would be in the archive, or be
/// replaced, under one of its two names only.
void refuseOverlap(const std::vector<VolumeToRead>& volumes, std::string_view advice);

/// Throws `Error` if a volume's folder is not the one that the survey saw, as when its driver takes it away once no
/// container uses it.
void demandSameFolders(const std::vector<VolumeToRead>& volumes);

} // namespace holdfast
