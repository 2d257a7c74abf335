#pragma once

#include "run/ledger.hpp"
#include "run/manifest.hpp"
#include "transfer/rclone.hpp"
#include "util/asio.hpp"

#include <optional>
#include <string>

namespace holdfast {

/// Ledger kinds of what a transfer leaves at the destination.
inline constexpr const char* objectKind = "object";
inline constexpr const char* manifestKind = "manifest";
inline constexpr const char* folderKind = "folder"; ///< of a version, with all that is in it

/// The manifest that lies there; nothing if there is none or it was cut short: that is not a backup. Throws
/// `TransferError` if the destination cannot be asked.
awaitable<std::optional<Manifest>> readManifest(const Rclone& rclone, std::string object);

/// Whether the run's manifest lies whole at the destination: the run is then a backup, whatever died after. Throws
/// `TransferError` if the destination cannot be asked.
awaitable<bool> committed(const Ledger& ledger);

/// Removes an object that is not there, or not whole, with what its upload has left. Throws `TransferError`.
awaitable<void> removeUploaded(const Rclone& rclone, std::string object);

/// Removes what the entry names from the destination. Idempotent; throws `TransferError`. Returns false for a kind that
/// is not a transfer's.
awaitable<bool> undoTransferEntry(LedgerEntry entry, LedgerHeader header);

} // namespace holdfast
