#include "transfer/undo.hpp"

#include "run/manifest.hpp"
#include "transfer/rclone.hpp"
#include "util/error.hpp"

#include <fmt/format.h>

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
    const Rclone rclone(header.rcloneConfig);
    if (entry.kind == objectKind || entry.kind == manifestKind) {
        co_await rclone.remove(entry.what.at("object").get<std::string>());
        co_return true;
    }
    if (entry.kind == folderKind) {
        const auto folder = entry.what.at("folder").get<std::string>();
        if (!folder.ends_with("-" + header.id.substr(0, 8))) {
            throw Error(
                fmt::format("{} is not removed: nothing in its name says that run {} made it.", folder, header.id));
        }
        co_await rclone.purge(folder);
        co_return true;
    }
    co_return false;
}

} // namespace holdfast
