#include "transfer/undo.hpp"

namespace holdfast {

namespace {

constexpr std::size_t maxManifest = 1024 * 1024;

} // namespace

awaitable<std::optional<Manifest>> readManifest(const Rclone& rclone, std::string object) {
    const auto text = co_await rclone.read(std::move(object), maxManifest);
    if (!text) co_return std::nullopt;
    try {
        co_return parseManifest(*text);
    } catch (const Error&) {
        co_return std::nullopt;
    }
}

awaitable<bool> committed(const Ledger& ledger) {
    if (ledger.isCommitted()) co_return true;
    for (const auto& entry : ledger.outstanding()) {
        if (entry.kind != manifestKind) continue;
        const Rclone rclone(ledger.header().rcloneConfig);
        const auto manifest = co_await readManifest(rclone, entry.what.at("object").get<std::string>());
        if (manifest && manifest->run == ledger.header().id) co_return true;
    }
    co_return false;
}

awaitable<bool> undoTransferEntry(LedgerEntry entry, LedgerHeader header) {
    if (entry.kind != objectKind && entry.kind != manifestKind) co_return false;
    co_await Rclone(header.rcloneConfig).remove(entry.what.at("object").get<std::string>());
    co_return true;
}

} // namespace holdfast
