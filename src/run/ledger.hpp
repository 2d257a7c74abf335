#pragma once

#include "util/fd.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

/// What becomes of an acquired thing when the run fails and the job says `cleanupOnFailure: false`.
enum class OnFailure { Undo, Keep };

/// What becomes of an entry once the run is committed, that is, once its manifest lies at the destination.
enum class OnCommit {
    Undo,   ///< given back, as after a failure
    Keep,   ///< left where it is: it is what the run was for
    Finish, ///< no thing but a task, done only then (source/source.hpp, finishSourceEntry); void after a failure
};

/// One thing that a run has acquired and must give back.
struct LedgerEntry {
    std::uint64_t number = 0;
    std::string kind;    ///< "object", "manifest", "scratch", "git-lock", "snapshot", …: picks the undo
    nlohmann::json what; ///< all that the undo needs to know
    OnFailure onFailure = OnFailure::Undo;
    OnCommit onCommit = OnCommit::Undo;
};

/// What makes a ledger readable without the plan (which lies in tmpfs and is gone after a power cut).
struct LedgerHeader {
    std::string id;
    std::string job;
    std::string host;
    std::string rcloneConfig;
    std::string outputPath;
    std::string kind;
    std::string sourceType;
    std::uint32_t maxAttempts = 0;
    bool cleanupOnFailure = true;
    USec startedAt = 0;
};

/// The durable list of what a run has acquired and must give back: JSON lines, each synced before the call returns.
/// A line that a crash cut short was never acted upon and is ignored.
class Ledger {
  public:
    /// A new ledger with its header on disk. Throws `std::system_error`; a ledger that is there already is an error.
    static Ledger create(const std::filesystem::path& path, LedgerHeader header);
    /// Throws `Error` if the header cannot be read: such a ledger needs a person.
    static Ledger open(const std::filesystem::path& path);

    /// To be called *before* the thing exists. Durable when it returns.
    std::uint64_t acquire(std::string kind, nlohmann::json what, OnFailure onFailure = OnFailure::Undo,
                          OnCommit onCommit = OnCommit::Undo);
    /// The thing is gone, or it is what the run was for (an object whose manifest is up).
    void released(std::uint64_t number);
    /// The thing stays on purpose; `why` is a sentence for the user that says where it is.
    void kept(std::uint64_t number, const std::string& why);
    /// The run's manifest lies at the destination: whoever goes on settling the run need not ask there again.
    void committed();
    /// What went wrong, so that a cleanup after a crash can still say it. The last one counts.
    void verdict(const std::string& error);

    [[nodiscard]] const LedgerHeader& header() const { return header_; }
    /// Neither released nor kept, newest first: the order in which to undo.
    [[nodiscard]] std::vector<LedgerEntry> outstanding() const;
    [[nodiscard]] const std::vector<std::string>& keptReasons() const { return kept_; }
    [[nodiscard]] bool isCommitted() const { return committed_; }
    [[nodiscard]] const std::string& lastVerdict() const { return verdict_; }

    /// Removes the file, or empties it if it cannot; only when nothing is outstanding (else throws std::logic_error).
    void close();

  private:
    Ledger(std::filesystem::path path, Fd fd, LedgerHeader header);
    void append(const nlohmann::json& line);
    void replay(const nlohmann::json& line);

    std::filesystem::path path_;
    Fd fd_;
    LedgerHeader header_;
    std::vector<LedgerEntry> entries_;
    std::vector<std::string> kept_;
    bool committed_ = false;
    std::string verdict_;
    std::uint64_t next_ = 1;
};

} // namespace holdfast
