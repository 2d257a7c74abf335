#include "transfer/undo.hpp"

#include "run/manifest.hpp"
#include "transfer/rclone.hpp"

namespace holdfast {

namespace {

constexpr std::size_t maxManifest = 1024 * 1024;

} // namespace

awaitable<bool> committed(const Ledger& ledger) {
    for (const auto& entry : ledger.outstanding()) {
        if (entry.kind != manifestKind) continue;
        const auto text =
            co_await Rclone(ledger.header().rcloneConfig).read(entry.what.at("object").get<std::string>(), maxManifest);
        if (!text) continue;
        try {
            if (parseManifest(*text).run == ledger.header().id) co_return true;
        } catch (const Error&) {
            // Cut short: not a manifest, and so not a backup.
        }
    }
    co_return false;
}

awaitable<bool> undoTransferEntry(LedgerEntry entry, LedgerHeader header) {
    if (entry.kind != objectKind && entry.kind != manifestKind) co_return false;
    co_await Rclone(header.rcloneConfig).remove(entry.what.at("object").get<std::string>());
    co_return true;
}

} // namespace holdfast
