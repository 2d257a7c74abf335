#pragma once

#include "run/ledger.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// A volume's folder that is to be replaced by another one, which lies on the same file system.
struct VolumeSwap {
    std::filesystem::path fresh;  ///< what was unpacked, whole
    std::filesystem::path folder; ///< of the volume
    std::filesystem::path aside;  ///< nothing yet; what was in the volume gets this name
};

/// Gives each folder its new content; the old one is at `aside` then. Each changes in one step (an exchange of two
/// names), so that it is the old or the new at any moment; and from before the first until the run is settled an entry
/// of kind "volume-arrival" in the ledger lets either all of them count or none. Throws `Error`.
void swapVolumes(const std::vector<VolumeSwap>& swaps, Ledger& ledger);

/// Of such an entry: whether every volume has its new content.
bool volumesArrived(const nlohmann::json& entry);

/// Undo: every volume has its old content, and what was unpacked is back where that was. Idempotent.
void undoVolumesArrival(const nlohmann::json& entry);

} // namespace holdfast
