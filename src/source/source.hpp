#pragma once

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace holdfast {

/// A program whose standard output is the stream. Exit status 0 means that all of it was written; nothing else does.
struct Producer {
    std::vector<std::string> argv; ///< argv[0] is an absolute path or looked up in the fixed PATH of our children
    std::uint64_t totalBytes = 0;  ///< 0 = unknown
    bool estimated = true;
    std::string format; ///< the manifest's stream.format: "tar", "zfs-send"
};

/// Bytes that lie on disk already (a cache file): uploaded as a stream of exactly known size.
struct StoredFile {
    std::filesystem::path path;
    std::string format;
};

/// A file or folder that is copied as it is.
struct StoredTree {
    std::filesystem::path path;
};

using Upload = std::variant<Producer, StoredFile, StoredTree>;

/// What is backed up. One object a run; the calls come in this order, on the program's one thread.
class Source {
  public:
    virtual ~Source() = default;

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

    /// Fields for the manifest that only this source has, under the source's name ("zfs": {…}); null = none.
    [[nodiscard]] virtual nlohmann::json manifest() const { return nullptr; }
};

/// The source that the plan's job asks for. `plan`, `paths` and `ledger` must outlive it.
std::unique_ptr<Source> makeSource(const Plan& plan, const Paths& paths, Ledger& ledger);

/// Undoes what a source wrote to the ledger. Idempotent; checks that the thing is ours; throws if it could not.
/// Returns false for a kind that is not a source's.
awaitable<bool> undoSourceEntry(const LedgerEntry& entry, const LedgerHeader& header);

} // namespace holdfast
