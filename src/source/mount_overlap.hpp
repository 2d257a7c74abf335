#pragma once

#include "source/docker_survey.hpp"
#include "source/engine.hpp"
#include "util/asio.hpp"

#include <filesystem>
#include <utility>
#include <vector>

namespace holdfast {

/// A folder with those that it lies in, told by what they are and not by their names: one folder has many, by links and
/// by mounts of it elsewhere.
class FolderChain {
  public:
    /// Of one that cannot be looked at, nothing is known.
    explicit FolderChain(const std::filesystem::path& folder);

    [[nodiscard]] bool isOrLiesIn(const FolderChain& other) const;

  private:
    std::vector<std::pair<dev_t, ino_t>> upwards_; ///< itself first
};

/// Of the listed containers, those that may write to one of the volumes, under whatever name: as a volume, as another
/// volume of the same device, as a folder of this machine. A paused one writes nothing.
awaitable<std::vector<EngineListed>> writersOf(Engine engine, std::vector<VolumeToRead> volumes,
                                               std::vector<EngineListed> listed);

/// Those that see a volume or a part of it, if only to read; not those that see a folder in which it lies.
awaitable<std::vector<EngineListed>> viewersOf(Engine engine, std::vector<VolumeToRead> volumes,
                                               std::vector<EngineListed> listed);

} // namespace holdfast
