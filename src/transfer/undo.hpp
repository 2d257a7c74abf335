#pragma once

#include "run/ledger.hpp"
#include "util/asio.hpp"

namespace holdfast {

/// Ledger kinds of what a transfer leaves at the destination.
inline constexpr const char* objectKind = "object";
inline constexpr const char* manifestKind = "manifest";
inline constexpr const char* folderKind = "folder"; ///< of a version, with all that is in it

/// Whether the run's manifest lies whole at the destination: the run is then a backup, whatever died after. Throws
/// `TransferError` if the destination cannot be asked.
awaitable<bool> committed(const Ledger& ledger);

/// Removes what the entry names from the destination. Idempotent; throws `TransferError`. Returns false for a kind that
/// is not a transfer's.
awaitable<bool> undoTransferEntry(LedgerEntry entry, LedgerHeader header);

} // namespace holdfast
