#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// What makes an Unraid flash drive's repository: which files belong in it, and how its managed files read.
namespace holdfast {

/// The profile that lies in `workTree`: "unraid" for a `config/` beside `bzimage`, else "plain".
std::string detectProfile(const std::filesystem::path& workTree);

/// A file larger than this is left out of a flash drive's repository, in bytes.
constexpr std::uint64_t largestFlashFile = 10 * 1024 * 1024;

/// Files below `config/` that are too large, relative to `workTree`, sorted. Symlinks are not followed.
std::vector<std::string> oversizeFiles(const std::filesystem::path& workTree);

/// `.git/info/exclude` of a flash drive: what `existing` says of itself, then our rules. Rules of the tool that
/// Holdfast takes over from are replaced, a user's own stay (ours come last, and re-include nothing that a user's leave
/// out below config/).
std::string flashExcludes(std::string_view existing, const std::vector<std::string>& oversize);

/// `.gitattributes` of a flash drive's root: `existing` with the lines that name the key filter, added where missing.
std::string flashAttributes(std::string_view existing);

/// `.git/info/attributes`, which no `.gitattributes` on the drive can override.
std::string flashInfoAttributes(std::string_view existing);

/// "Unraid flash drive for NAME\n"; the name is NAME of `varIni`, else "Unknown Server".
std::string flashDescription(const std::filesystem::path& varIni);

} // namespace holdfast
