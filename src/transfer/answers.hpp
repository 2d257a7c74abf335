#pragma once

#include "util/error.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

/// What rclone answers, as data. Pure; each function throws `TransferError`, worth another attempt, for a text that is
/// not the answer. `doing` is what rclone was asked for: "look at b2:backups/x".
namespace holdfast {

/// A transfer that did not work, and whether trying again can help.
class TransferError : public Error {
  public:
    TransferError(const std::string& message, bool retry) : Error(message), retry_(retry) {}
    [[nodiscard]] bool retry() const { return retry_; }

  private:
    bool retry_;
};

/// What a remote can do, as `rclone backend features` tells it.
struct RemoteFeatures {
    bool streams = false;            ///< has PutStream: else rcat would spool the whole stream to a temporary folder
    std::vector<std::string> hashes; ///< rclone's names, lower case
    bool about = false;
    bool local = false;    ///< a disk of this machine, perhaps behind an alias
    bool slowHash = false; ///< hashes are not kept, but computed from the whole object when asked for
    bool times = true;     ///< keeps the files' modification times
    bool buckets = false;  ///< paths begin with a bucket, unless the remote itself names one
    std::string root{};    ///< of a local one: the folder that the remote's paths begin at
};

/// What lies at the destination.
struct RemoteObject {
    std::uint64_t size = 0;
    std::optional<std::string> hash; ///< of the kind that was asked for, if the remote has it
};

/// A file in a folder of a remote, or a folder in it.
struct FolderEntry {
    std::string name;
    std::uint64_t size = 0;
    bool folder = false;
    bool pending = false; ///< no file yet, but an upload in parts that was begun
};

struct ListedFile {
    std::uint64_t size = 0;
    std::string hash; ///< of the kind that the list was made with; empty if it is not known
};

/// The files of a folder, by their paths in it, as rclone spells them.
using FileList = std::map<std::string, ListedFile>;

/// Any answer that is JSON.
nlohmann::json parseAnswer(const std::string& text, const std::string& doing);
/// Of `rclone backend features`.
RemoteFeatures parseFeatures(const std::string& text, const std::string& doing);
/// Of `rclone lsjson --stat`: nothing if it is no file. `hash` is the kind that was asked for, or empty.
std::optional<RemoteObject> parseStat(const std::string& text, const std::string& hash, const std::string& doing);
/// Of `rclone lsjson`, as a whole.
std::vector<FolderEntry> parseFolder(const std::string& text, const std::string& doing);
/// Of `rclone lsjson --recursive`: the paths.
std::vector<std::string> parsePaths(const std::string& text, const std::string& doing);
/// Of `rclone backend list-multipart-uploads` for `folder` ("remote:bucket/path"): what is uploaded to files in it, not
/// below it. The sizes are not known.
std::vector<FolderEntry> parsePendingUploads(const std::string& text, const std::string& folder,
                                             const std::string& doing);
/// Of `rclone lsjson`, which writes an array with an object a line: adds what the line tells, if anything, to `files`.
void takeListedLine(std::string line, const std::string& hash, FileList& files, const std::string& doing);

} // namespace holdfast
