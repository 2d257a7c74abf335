#pragma once

#include "upload.hpp"

#include <cstdint>

namespace holdfast {

struct SourceSize {
    std::uint64_t files = 0; ///< 0: of a stream, where nobody counts them
    std::uint64_t bytes = 0;
};

/// Compares the source with what the job's earlier backups saw of it, and leaves what was seen in the metadata, as
/// "ground", for the next run. Warns if it has shrunk to a tenth, or to a half where its file system is not mounted any
/// more: then the earlier backups stay. Throws `Error` in the latter case for a mirror, of which nothing would stay.
void compareSource(const Backup& backup, const Destination& destination, SourceSize size);

} // namespace holdfast
