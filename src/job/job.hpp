#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

enum class SourceType { None, Zfs, Flash, Script, Docker };

/// The name in job documents and on the bus: "none", "zfs", "flash", "script", "docker".
const char* toString(SourceType type);

struct ZfsConfig {
    std::string poolName;
    std::optional<std::string> snapshotName;
    bool streamDirect = true;
    std::optional<int> compressionLevel;
    bool recursive = false;
    bool raw = false;
    bool incremental = false;
    std::uint32_t fullEvery = 30; ///< of so many runs in a row that build on each other, the first sends everything
};

struct FlashConfig {
    std::string gitPath = "/boot/.git";
    std::optional<int> compressionLevel;
    bool streamDirect = true;
    std::optional<std::string> localCachePath;
    std::string commitMessage = "Backup via comprehensive backup system";
    bool includeGitHistory = true;
    std::optional<std::string> profile; ///< "unraid" or "plain"; absent: told by what lies there
};

struct ScriptConfig {
    std::string scriptPath;
    std::vector<std::string> scriptArgs;
    std::optional<std::string> workingDirectory;
    std::optional<double> timeout; ///< seconds
    std::vector<std::string> readPaths;
    bool readAll = false;
    bool network = false;
    std::optional<std::uint64_t> outputMax; ///< bytes
};

struct DockerConfig {
    std::vector<std::string> containerName;
    std::vector<std::string> volumeName;
    std::optional<std::string> engineSocket;
};

struct NoneConfig {};

using SourceConfig = std::variant<NoneConfig, ZfsConfig, FlashConfig, ScriptConfig, DockerConfig>;

/// The configuration, with nothing set, of the source with this name. Throws `Error` for a name that is none.
SourceConfig emptySourceConfig(const std::string& name);

/// How the job's backups are proven by itself: restored to scratch, compared, removed.
struct DrillConfig {
    std::string schedule;                 ///< as written; empty: never by itself
    bool deep = true;                     ///< restores; else only looks, as a verification does
    std::optional<std::uint64_t> maxSize; ///< bytes that a drill may restore
};

/// Resource limits of the run's unit, resolved from systemd's own spelling ("1G", "200%", "12h").
struct Limits {
    std::optional<std::uint64_t> memoryMax;          ///< bytes
    std::optional<std::uint64_t> cpuQuotaPerSecUSec; ///< CPU time a second of wall time; "200%" is 2 000 000
    std::optional<USec> runtimeMax;
    std::optional<std::uint64_t> tasksMax;
    std::optional<std::uint64_t> bandwidth; ///< bytes a second
};

/// How many backups stay when a run is done: of each rule the newest of so many; 0: no such rule.
struct Keep {
    std::uint32_t last = 0;    ///< backups
    std::uint32_t daily = 0;   ///< days that have backups, and of each its newest one; the others likewise
    std::uint32_t weekly = 0;  ///< ISO weeks
    std::uint32_t monthly = 0; ///< of the calendar
    std::uint32_t yearly = 0;
    bool operator==(const Keep&) const = default;
};

/// A stored configuration, valid by construction: only parseJob() makes one.
struct Job {
    std::string name;
    bool enabled = true;
    std::string schedule;     ///< as written; empty: never by itself
    USec randomizedDelay = 0; ///< the most by which a scheduled start is put off
    std::string remoteName;
    std::string destinationPath; ///< relative to the remote, without leading or trailing slash; may be empty
    std::string sourcePath;
    std::string layout = "mirror"; ///< of source "none": "mirror" or "versions"
    nlohmann::json rcloneOptions = nlohmann::json::object();
    SourceConfig source;
    USec preprocessTimeout = 300 * usecPerSec;
    bool cleanupOnFailure = true;
    Limits limits;
    std::optional<DrillConfig> drill;
    std::optional<Keep> keep; ///< absent: all backups stay
    /// The document that was written, with nothing added, as JSON in one line: a tenth of what it takes when parsed.
    std::string text;

    /// What GetConfig shows.
    [[nodiscard]] nlohmann::json document() const { return nlohmann::json::parse(text); }

    [[nodiscard]] SourceType sourceType() const { return static_cast<SourceType>(source.index()); }
    /// "remote:path", for people.
    [[nodiscard]] std::string destination() const { return remoteName + ":" + destinationPath; }
    /// What is backed up, for people and for polkit's details: a path, a dataset, a script, container names.
    [[nodiscard]] std::string sourceDescription() const;
    /// zstd level of our pipe, if the job asks for one.
    [[nodiscard]] std::optional<int> compressionLevel() const;
    /// Whether the source is streamed (`rclone rcat`) or copied (`rclone copy`).
    [[nodiscard]] bool streams() const;
    /// Whether it is copied straight into destinationPath, over what an earlier run copied there.
    [[nodiscard]] bool mirrors() const { return sourceType() == SourceType::None && layout == "mirror"; }
};

/// One thing that is wrong with a job document.
struct Problem {
    std::string pointer; ///< JSON pointer (RFC 6901) to the field
    std::string code;    ///< stable, for programs: "unknown-field", "pattern", …
    std::string message; ///< a sentence that a person can act on
    bool operator==(const Problem&) const = default;
};

/// Everything that is wrong with a document, at once. `what()` lists all of it, one a line.
class InvalidJob : public std::runtime_error {
  public:
    explicit InvalidJob(std::vector<Problem> problems);
    [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

  private:
    std::vector<Problem> problems_;
};

/// Parses and checks a document against every rule that needs nothing but the document (schema and cross-field rules).
/// Throws `InvalidJob`.
Job parseJob(const std::string& text);
Job parseJob(const nlohmann::json& document);

} // namespace holdfast
