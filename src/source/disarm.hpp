#pragma once

#include "util/held_path.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// A git configuration without what would make git run a program or write elsewhere than in its own work tree, and the
/// names of what was left out. What is not plainly harmless is left out.
struct HarmlessConfig {
    std::string text;
    std::vector<std::string> leftOut; ///< "core.fsmonitor", "filter.x.clean"
};
HarmlessConfig harmlessConfig(std::string_view config);

/// Of the repositories in a folder that came from a remote (its `.git`, the folder itself, and their submodules): hooks
/// lose their permission to be run; a configuration that names programs is kept as `config.restored`, beside one
/// without them; files that lead git elsewhere get the ending `.restored` too. Returns what was changed, for people.
/// Throws `Error` where `.git` is not a folder.
std::vector<std::string> disarmRepositories(const HeldPath& folder);

/// In a sentence.
std::string describeDisarmed(const std::vector<std::string>& what);

} // namespace holdfast
