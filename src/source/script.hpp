#pragma once

#include "source/background.hpp"
#include "source/script_file.hpp"
#include "source/script_log.hpp"
#include "source/script_output.hpp"
#include "source/source.hpp"
#include "unit/script_unit.hpp"
#include "unit/systemd.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// What a script writes into its output folder. It runs in a unit of its own, which may do next to nothing else.
/// docs/script.md tells the user's side.
class ScriptSource : public Source {
  public:
    ScriptSource(const Plan& plan, const Paths& paths, Ledger& ledger);

    awaitable<void> prepare() override;
    Upload upload() override;
    [[nodiscard]] std::string preparing() const override;
    [[nodiscard]] nlohmann::json metadata() const override;
    [[nodiscard]] nlohmann::json metadataOfFailure() const override { return metadata(); }
    [[nodiscard]] nlohmann::json manifest() const override;

  private:
    ScriptFile refuseWhatCannotWork() const;
    void refuseOpenConfig() const;
    [[nodiscard]] std::vector<std::filesystem::path> foldersOfConfig() const;
    [[nodiscard]] std::string explainPassed(Passed passed, const OutputLimits& limits) const;
    void makeFolders(const ScriptFile& script);
    [[nodiscard]] ScriptUnit unitOf(const ScriptFile& script, std::chrono::steady_clock::time_point began) const;
    [[nodiscard]] std::vector<ReadableMount> readable(const ScriptFile& script) const;
    awaitable<void> run(ScriptUnit unit);
    awaitable<void> start(BusSystemd& systemd, UnitProperties properties);
    awaitable<void> waitIfStopped(BusSystemd& systemd);
    awaitable<UnitEnd> attend(BusSystemd& systemd, std::uint64_t outputMax);
    awaitable<void> judge(BusSystemd& systemd, UnitEnd end, ScriptUnit unit);
    [[nodiscard]] std::string lastWords() const;
    void refuseUselessOutput() const;

    const Plan& plan_;
    const Paths& paths_;
    const ScriptConfig& config_;
    Ledger& ledger_;
    Background background_;
    ScriptLog log_;

    std::string unit_;
    std::filesystem::path folder_; ///< scratch: the script as it was looked at, and its output
    std::filesystem::path output_;
    std::uint64_t outputEntry_ = 0; ///< in the ledger
    std::optional<int> exitCode_;
};

/// The sentence that says how a script failed, without its last words; empty if it did not.
std::string explainScriptEnd(const UnitEnd& end, const ScriptUnit& unit, const ScriptConfig& config);

/// Stops the unit and waits until it is gone with all its processes. Throws `Error` for one that is not the run's.
awaitable<void> undoScriptUnit(nlohmann::json entry, std::string runId);

} // namespace holdfast
