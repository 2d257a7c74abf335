#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// What of a file is restored beyond content, owner, mode and times.
enum class Attributes { None, All };

/// `tar` that unpacks its standard input into `folder`: all of it, or these members and what is below them. Whatever
/// the archive says, it writes nothing outside of the folder.
std::vector<std::string> unpackInto(const std::filesystem::path& folder, const std::vector<std::string>& members,
                                    Attributes attributes);

/// The bytes of everything on the folder's file system are on disk when this returns.
void syncFileSystem(const std::filesystem::path& folder);

} // namespace holdfast
