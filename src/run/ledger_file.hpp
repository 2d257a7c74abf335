#pragma once

#include <filesystem>

namespace holdfast {

/// Whether there is a ledger at `path`. An empty file is none: the daemon makes it, as the unit of a run may write to
/// that one file of the folder only, and a ledger that is closed there leaves it. Throws
/// `std::filesystem::filesystem_error`.
bool hasLedger(const std::filesystem::path& path);

} // namespace holdfast
