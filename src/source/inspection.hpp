#pragma once

#include "run/manifest.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// Compares what has come back, at `place`, as programs know it that get `descriptors`, with what its source was,
/// beyond the hashes that were checked as it came: a git repository is whole and has the commit of the manifest; there
/// are files. Changes the repository's configuration, so that it is for scratch only. Returns what was found, as
/// metadata of the run. Throws `Error` that says what is wrong.
awaitable<nlohmann::json> inspect(std::string place, std::vector<int> descriptors, Manifest manifest);

/// Regular files and symlinks below a folder; symlinks are not followed.
struct FileCount {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0; ///< of the regular files
};
FileCount countFiles(const std::filesystem::path& folder);

} // namespace holdfast
