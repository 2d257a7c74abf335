#pragma once

#include "util/time.hpp"

#include <cstdint>
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
    struct Object {
        std::string name; ///< beside the manifest
        std::uint64_t size = 0;
        std::string sha256;
    };

    std::string run;
    std::string job;
    std::string host;
    std::string source;
    USec startedAt = 0;
    USec finishedAt = 0;
    Stream stream;
    std::vector<Object> objects; ///< in the order in which they make the stream
    nlohmann::json sourceFields; ///< what only this source has, under the source's name; null = none
    nlohmann::json tools = nlohmann::json::object();
};

std::string serialize(const Manifest& manifest);

/// Reads a manifest: refuses a version that it does not know, ignores fields that it does not know. Throws `Error`; a
/// manifest that was cut short is never taken for a whole one.
Manifest parseManifest(const std::string& text);

} // namespace holdfast
