#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

class Stop;

/// Looks through a work tree before libgit2 does. Throws `Error` for rules that libgit2 would hang on. Returns the
/// folders in it that are repositories of their own, relative to it.
std::vector<std::string> lookThroughWorkTree(const std::filesystem::path& workTree, const Stop& stop);

} // namespace holdfast
