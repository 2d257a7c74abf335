#pragma once

#include "job/job.hpp"
#include "unit/properties.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// Where a script sees its output folder: $HOLDFAST_OUTPUT_DIR.
constexpr auto scriptOutputFolder = "/run/holdfast/output";

/// A file or folder of the machine, and where the script sees it, read-only.
struct ReadableMount {
    std::filesystem::path from;
    std::filesystem::path at;
    bool operator==(const ReadableMount&) const = default;
};

/// What a script may do, in its own unit and apart from that of its run.
struct ScriptUnit {
    std::string runId;
    std::string job;
    std::vector<std::string> argv; ///< argv[0] is the script's path
    std::string workingDirectory;  ///< as the script sees it
    std::filesystem::path output;  ///< on the machine; anybody may write to it who can reach it
    std::vector<ReadableMount> readable;
    std::vector<std::filesystem::path> hidden;  ///< what is not there is no error
    std::vector<std::filesystem::path> emptied; ///< folders of which it sees only what is `readable`
    bool readAll = false;
    bool network = false;
    bool makesCode = false; ///< its interpreter translates to machine code while it runs, so it needs pages for that
    USec timeout = 0;
    std::uint64_t fileSizeMax = 0; ///< bytes, of each file
    Limits limits;                 ///< the job's; those that it does not set have defaults
    int out = -1;                  ///< descriptor for standard output and error
};

/// "holdfast-script-<id>.service".
std::string scriptUnitName(const std::string& runId);

/// Whether a script sees `path` only if it is mounted for it: what is below /home, /root and /run/user.
bool isHiddenFromScripts(const std::filesystem::path& path);

/// Properties of scriptUnitName(). The unit ends with its run's, and stays loaded for whoever started it until that
/// one's connection to the bus ends, so that its result can be read. Pure.
UnitProperties scriptUnitProperties(const ScriptUnit& unit);

} // namespace holdfast
