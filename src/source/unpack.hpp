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

/// What tar's last words mean for whoever restores, in a sentence; as they are, where they mean nothing particular.
std::string explainTar(const std::string& lastWords);

} // namespace holdfast
