#pragma once

#include "run/ledger.hpp"
#include "run/manifest.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "util/asio.hpp"
#include "util/held_path.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast {

/// A program whose standard output is the stream. Exit status 0 means that all of it was written; nothing else does.
struct Producer {
    std::vector<std::string> argv; ///< argv[0] is an absolute path or looked up in the fixed PATH of our children
    std::uint64_t totalBytes = 0;  ///< 0 = unknown
    bool estimated = true;
    std::string format;      ///< the manifest's stream.format: "tar", "zfs-send"
    std::vector<int> keep{}; ///< descriptors of the source that `argv` names, HeldPath::forChild()
};

/// Bytes that lie on disk already (a cache file): uploaded as a stream of exactly known size.
struct StoredFile {
    std::filesystem::path path;
    std::string format;
    int fd = -1; ///< the source's, open since the file was written, where others than root may exchange the name
};

/// A file or folder that is copied as it is.
struct StoredTree {
    std::shared_ptr<const HeldPath> folder; ///< itself, or the one that the file lies in
    std::string file{};                     ///< the file's name there; empty for a folder
    bool still = false;                     ///< nobody can change it any more: all of it must arrive

    [[nodiscard]] std::filesystem::path path() const { return file.empty() ? folder->real() : folder->real() / file; }
};

using Upload = std::variant<Producer, StoredFile, StoredTree>;

/// What is backed up. One object a run; the calls come in this order, on the program's one thread.
class Source {
  public:
    virtual ~Source() = default;

    /// The manifest ("remote:path") of the earlier backup that this one would build on; nothing if it stands alone.
    /// Asked before prepare().
    [[nodiscard]] virtual std::optional<std::string> earlierManifest() const { return std::nullopt; }

    /// The answer to earlierManifest(): what lies at the destination now; nothing if it is gone or not whole.
    virtual void earlier(const std::optional<Manifest>& /*manifest*/) {}

    /// Whether prepare() takes little time and nobody notices. Then the remote is asked meanwhile what it can do; else
    /// its answer is waited for first, since it may be that nothing can be uploaded there.
    [[nodiscard]] virtual bool isLight() const { return false; }

    /// Makes the source ready. Everything that it acquires is in the ledger before it exists. Bounded from outside by
    /// preprocessTimeout, which cancels the coroutine. Throws `Error`.
    virtual awaitable<void> prepare() = 0;

    /// What prepare() spends its time on, as the beginning of a sentence.
    [[nodiscard]] virtual std::string preparing() const { return "Preparing the source"; }

    /// What to upload; asked once for each attempt, after prepare().
    virtual Upload upload() = 0;

    /// The source has been read: gives back what others wait for (containers start again). Called before verification.
    virtual awaitable<void> doneReading() { co_return; }

    /// The seed's PreprocessResult metadata, known after prepare(): gitCommitHash, snapshotName, …
    [[nodiscard]] virtual nlohmann::json metadata() const { return nlohmann::json::object(); }

    /// The same, after a prepare() that failed.
    [[nodiscard]] virtual nlohmann::json metadataOfFailure() const { return nlohmann::json::object(); }

    /// What a person should learn although nothing has failed, such as why all is sent and not what has changed; known
    /// after prepare(), empty = nothing.
    [[nodiscard]] virtual std::string notice() const { return {}; }

    /// Versions of the programs that made the stream, for the manifest's tools: {"zfs": "…"}; known after prepare().
    [[nodiscard]] virtual nlohmann::json tools() const { return nlohmann::json::object(); }

    /// Fields for the manifest that only this source has, under the source's name ("zfs": {…}); null = none.
    [[nodiscard]] virtual nlohmann::json manifest() const { return nullptr; }
};

/// The source that the plan's job asks for. `plan`, `paths` and `ledger` must outlive it.
std::unique_ptr<Source> makeSource(const Plan& plan, const Paths& paths, Ledger& ledger);

/// Whether something of this machine is out of service until the entry is undone: such entries go first.
bool othersWaitFor(const LedgerEntry& entry);

/// Undoes what a source wrote to the ledger. Idempotent; checks that the thing is ours; throws if it could not.
/// Returns false for a kind that is not a source's.
awaitable<bool> undoSourceEntry(const LedgerEntry& entry, const LedgerHeader& header);

/// Does what an entry with OnCommit::Finish asks for. Idempotent; throws if it could not. Returns false for a kind that
/// is not a source's.
awaitable<bool> finishSourceEntry(const LedgerEntry& entry, const LedgerHeader& header);

} // namespace holdfast
