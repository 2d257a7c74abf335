#pragma once

#include "util/asio.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// Runs a program whose standard output becomes the new file `to`, which only root may read and which is on disk when
/// this returns. Throws `Error` if the program fails, `std::system_error` for the file. What was written stays then.
awaitable<void> runIntoFile(std::vector<std::string> argv, std::filesystem::path to);

} // namespace holdfast
