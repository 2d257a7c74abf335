#include "source/target.hpp"

#include "source/dataset_target.hpp"
#include "source/files_arrival.hpp"
#include "source/folder_target.hpp"
#include "source/kinds.hpp"
#include "source/volume_swap.hpp"
#include "source/volume_target.hpp"
#include "util/error.hpp"

#include <fmt/format.h>

namespace holdfast {

std::unique_ptr<Target> makeTarget(const RestoreTask& task, const std::string& runId, const Manifest& manifest,
                                   Ledger& ledger) {
    if (task.intoVolumes) return std::make_unique<VolumeTarget>(task, runId, manifest, ledger);
    const std::string format = manifest.stream ? manifest.stream->format : "copy";
    if (format == "zfs-send") return std::make_unique<DatasetTarget>(task, runId, ledger);
    if (format == "tar" || format == "copy") return std::make_unique<FolderTarget>(task, runId, ledger);
    throw Error(fmt::format("This version of Holdfast does not know how to restore the format \"{}\".", format));
}

awaitable<bool> arrived(const Ledger& ledger) {
    for (const auto& entry : ledger.outstanding()) {
        bool there = false;
        if (entry.kind == kinds::folderArrival) there = folderArrived(entry.what);
        if (entry.kind == kinds::filesArrival) there = filesArrived(entry.what);
        if (entry.kind == kinds::volumeArrival) there = volumesArrived(entry.what);
        if (entry.kind == kinds::datasetArrival) there = co_await datasetArrived(entry.what);
        if (there) co_return true;
    }
    co_return false;
}

awaitable<bool> undoTargetEntry(const LedgerEntry& entry, const LedgerHeader& header) {
    if (entry.kind == kinds::folderArrival)
        undoFolderArrival(entry.what);
    else if (entry.kind == kinds::filesArrival)
        undoFilesArrival(entry.what);
    else if (entry.kind == kinds::volumeArrival)
        undoVolumesArrival(entry.what);
    else if (entry.kind == kinds::datasetArrival)
        co_await undoDatasetArrival(entry.what);
    else if (entry.kind == kinds::receivedDataset)
        co_await undoReceivedDataset(entry.what, header.id);
    else
        co_return false;
    co_return true;
}

} // namespace holdfast
