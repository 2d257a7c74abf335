#include "transfer/undo.hpp"

#include "run/manifest.hpp"
#include "run/run_name.hpp"
#include "transfer/rclone.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr std::size_t maxManifest = 1024 * 1024;

/// What a rclone that was killed has left of an upload in parts is no object and in nobody's way, but it is paid for.
awaitable<void> abortUploads(const Rclone& rclone, std::string prefix) {
    try {
        co_await rclone.abortUploads(std::move(prefix));
    } catch (const TransferError& e) {
        logNotice(e.what());
    }
}

} // namespace

awaitable<void> removeUploaded(const Rclone& rclone, std::string object) {
    co_await rclone.remove(object);
    const auto nameAt = object.find_last_of(":/") + 1;
    const auto name = parseRunName(object.substr(nameAt));
    if (!name || name->rest.empty()) co_return;
    auto stem = object.substr(0, nameAt) + name->stem;
    co_await abortUploads(rclone, std::move(stem));
}

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
    const Rclone rclone(header.rcloneConfig);
    if (entry.kind == objectKind) {
        co_await removeUploaded(rclone, entry.what.at("object").get<std::string>());
        co_return true;
    }
    if (entry.kind == manifestKind) {
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
        co_await abortUploads(rclone, folder);
        co_return true;
    }
    co_return false;
}

} // namespace holdfast
