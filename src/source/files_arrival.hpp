#pragma once

#include "run/ledger.hpp"
#include "util/held_path.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// A file, or a folder of which there is none yet, that is brought back in place.
struct FileMove {
    std::filesystem::path path; ///< in both folders
    ino_t inode = 0;
    bool replaces = false; ///< something of that name is there
};

/// What is to be moved so that `there` has all that is in `fresh`: folders that are in both are gone into, and stay.
/// Throws `Error` for more than can be done as one.
std::vector<FileMove> movesInto(const HeldPath& fresh, const HeldPath& there);

/// The name under which what a run replaces is kept.
std::string keptName(const std::string& name, const std::string& runId);

/// Moves them from `fresh` to `there`; what is replaced is kept beside under keptName(). From before the first until
/// the run is settled an entry of kind "files-arrival" in the ledger lets either all of them count or none. Returns
/// where what was replaced is kept. Throws `Error`.
std::vector<std::string> moveFiles(const std::vector<FileMove>& moves, const HeldPath& fresh, const HeldPath& there,
                                   const std::string& runId, Ledger& ledger);

/// Of such an entry: whether every file has arrived.
bool filesArrived(const nlohmann::json& entry);

/// Undo: all is as it was, and what was restored is back where that was. Idempotent.
void undoFilesArrival(const nlohmann::json& entry);

} // namespace holdfast
