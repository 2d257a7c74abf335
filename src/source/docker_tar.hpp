#pragma once

#include "source/background.hpp"
#include "source/docker_survey.hpp"
#include "source/source.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

/// The folder in the archive of the volume with this name: "volumes/<name>".
std::string folderInArchive(const std::string& volume);

/// About what `tar` will write for the volumes. Looks at every file; ends early when told to.
std::uint64_t sizeOfVolumes(const std::vector<VolumeToRead>& volumes, const Stop& stop);

/// What the file systems hold that the volumes lie on: more than `tar` will write, but known at once.
std::uint64_t usedWhereVolumesLie(const std::vector<VolumeToRead>& volumes);

/// `tar` of the volumes, one folder each: owners by number, permissions, ACLs, extended attributes, holes, hard links
/// and special files as they are. The volumes must not overlap.
Producer tarOfVolumes(const std::vector<VolumeToRead>& volumes, std::uint64_t size);

} // namespace holdfast
