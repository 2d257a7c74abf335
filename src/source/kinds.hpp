#pragma once

/// The kinds of ledger entries that sources write; source.cpp undoes each.
namespace holdfast::kinds {

constexpr auto gitLock = "git-lock";
constexpr auto scratch = "scratch";              ///< a folder with all that is in it
constexpr auto scratchFolder = "scratch-folder"; ///< a folder that goes when it is empty
constexpr auto cacheFile = "cache-file";
constexpr auto scriptOutput = "script output"; ///< a folder
constexpr auto scriptUnit = "script-unit";
constexpr auto snapshot = "snapshot";   ///< of ZFS
constexpr auto hold = "hold";           ///< on a snapshot of ZFS
constexpr auto container = "container"; ///< of Docker or Podman, which is stopped
constexpr auto bookmark = "bookmark";   ///< of ZFS
constexpr auto base = "base";           ///< the task to make the run's snapshot what the job's next run builds on

// of targets; target.cpp undoes each
constexpr auto receivedDataset = "received-dataset";
constexpr auto folderArrival = "folder-arrival";   ///< what is restored is about to get its name
constexpr auto filesArrival = "files-arrival";     ///< files are about to be brought back in place
constexpr auto datasetArrival = "dataset-arrival"; ///< likewise
constexpr auto volumeArrival = "volume-arrival";   ///< folders of volumes are about to be exchanged

} // namespace holdfast::kinds
