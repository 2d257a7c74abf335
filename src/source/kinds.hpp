#pragma once

/// The kinds of ledger entries that sources write; source.cpp undoes each.
namespace holdfast::kinds {

constexpr auto gitLock = "git-lock";
constexpr auto scratch = "scratch";              ///< a folder with all that is in it
constexpr auto scratchFolder = "scratch-folder"; ///< a folder that goes when it is empty
constexpr auto cacheFile = "cache-file";
constexpr auto scriptOutput = "script output"; ///< a folder
constexpr auto scriptUnit = "script-unit";
constexpr auto snapshot = "snapshot"; ///< of ZFS
constexpr auto hold = "hold";         ///< on a snapshot of ZFS

// of targets; target.cpp undoes each
constexpr auto receivedDataset = "received-dataset";
constexpr auto folderArrival = "folder-arrival";   ///< what is restored is about to get its name
constexpr auto datasetArrival = "dataset-arrival"; ///< likewise

} // namespace holdfast::kinds
