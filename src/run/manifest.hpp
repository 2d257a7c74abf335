#pragma once

#include "run/machine.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

/// The small object that is uploaded last and makes a backup a backup (DESIGN "Objects and the manifest"), version 1.
struct Manifest {
    struct Stream {
        std::string format;      ///< "tar", "zfs-send"
        std::string compression; ///< "zstd" or "none"
        std::uint64_t size = 0;  ///< of what the producer wrote
        std::string sha256;
    };
    struct Copy {
        std::string layout; ///< "mirror": in the manifest's own folder; "versions": in a folder beside it, named as it
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
        std::string hash; ///< rclone's name of the hash in the list of files; empty if the remote keeps none
        /// Of rclone's flags, those that it was copied with and must be copied back with: "links", "metadata".
        std::vector<std::string> flags{};
        /// By what, beside the size, it was told that a file lay there already: "time", "hash"; "size": by it alone;
        /// "nothing": all was sent; empty: an older Holdfast did not say.
        std::string compared{};
        std::vector<std::string> changed{}; ///< files that changed while they were copied: perhaps of two moments
    };
    struct Object {
        std::string name; ///< beside the manifest
        std::uint64_t size = 0;
        std::string sha256;
        /// What the remote itself keeps, where that is no SHA-256: its name to its value, by which it can be asked
        /// later whether the object is still the same.
        std::map<std::string, std::string> hashes{};
    };

    std::string run;
    std::string job;
    Machine machine; ///< that made it; of older manifests the host only
    std::string source;
    USec startedAt = 0;
    USec finishedAt = 0;
    std::optional<Stream> stream; ///< either this
    std::optional<Copy> copy;     ///< or this
    /// Of a stream: in the order in which they make it. Of a copy: the list of its files (transfer/file_list.hpp).
    std::vector<Object> objects;
    nlohmann::json sourceFields; ///< what only this source has, under the source's name; null = none
    nlohmann::json tools = nlohmann::json::object();
    /// The job as it was, without what may be secret in it, so that it can be made anew where nothing else is left;
    /// null = none.
    nlohmann::json jobDocument;
    std::vector<std::string> jobDocumentLacks; ///< JSON pointers to what was left out of it
};

/// Of what it is: the stream's format, or "copy".
std::string formatOf(const Manifest& manifest);

std::string serialize(const Manifest& manifest);

/// Whether the machine made it. One that names no machine is told by its host.
bool isMadeBy(const Manifest& manifest, const Machine& machine);

/// Reads a manifest: refuses a version or a source that it does not know, and a format that is not that source's;
/// ignores fields that it does not know. Throws `Error`; a manifest that was cut short is never taken for a whole one.
Manifest parseManifest(const std::string& text);

} // namespace holdfast
