#pragma once

#include <filesystem>
#include <string>

namespace holdfast {

/// ".holdfast-<id>": the end of the name of a file that a run makes outside of its own folder.
std::string runSuffix(const std::string& runId);

/// Whether `path` carries the run's id in its name or that of a folder above, as everything does that a run makes and
/// removes.
bool isOfRun(const std::filesystem::path& path, const std::string& runId);

/// Makes a folder that nobody else may read. Throws `std::system_error`.
void makePrivateFolder(const std::filesystem::path& folder);

/// Removes `path` and what is below it; symlinks are removed, never followed. What is not there is fine. Throws `Error`
/// for a path that is not the run's.
void removeOfRun(const std::filesystem::path& path, const std::string& runId);

/// As removeOfRun(), but for a folder, and only if nothing is left in it.
void removeIfEmpty(const std::filesystem::path& folder, const std::string& runId);

} // namespace holdfast
