#include "source/script.hpp"

#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/script_output.hpp"
#include "unit/own_bus.hpp"
#include "unit/survivors.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/format.hpp"
#include "util/time.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace holdfast {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

/// Exit statuses of systemd for what it could not do before the script ran (systemd.exec(5)).
constexpr int exitChdir = 200;
constexpr int exitExec = 203;
constexpr int exitNamespace = 226;

/// How much earlier than preprocessTimeout the script is ended, so that it is the script that is named.
USec marginOf(USec preprocessTimeout) { return std::min(usecPerSec, preprocessTimeout / 10); }

std::string nameOf(const ScriptConfig& config) { return fmt::format("Script '{}'", config.scriptPath); }

/// The mode that `path` shall have, whatever the process's umask is.
void allow(const fs::path& path, mode_t mode) {
    if (::chmod(path.c_str(), mode) < 0) throwErrno("set the mode of " + path.string());
}

std::string explainStart(const UnitEnd& end, const ScriptConfig& config, const std::string& why) {
    if (end.code != CLD_EXITED) return why;
    if (end.status == exitChdir && config.workingDirectory) {
        return fmt::format("{} could not run in {}: no folder is there that everybody may enter.", nameOf(config),
                           *config.workingDirectory);
    }
    if (end.status == exitExec) {
        return fmt::format("{} could not be run: its interpreter is hidden from it, or is no program.", nameOf(config));
    }
    if (end.status == exitNamespace) {
        return fmt::format("The sandbox of {} could not be made; the journal of systemd says why. ({})",
                           config.scriptPath, why);
    }
    return why;
}

std::string explainSignal(const UnitEnd& end, const ScriptUnit& unit, const ScriptConfig& config) {
    if (end.status == SIGXFSZ) {
        return fmt::format("{} made a file larger than {}: raise outputMax, or make room.", nameOf(config),
                           formatBytes(unit.fileSizeMax));
    }
    const char* name = ::sigabbrev_np(end.status);
    const auto killed =
        fmt::format("{} was killed by SIG{}", nameOf(config), name ? name : std::to_string(end.status).c_str());
    if (end.status != SIGKILL) return killed + ".";
    return killed + ", as happens when it needs more memory than limits.memoryMax of the job allows.";
}

} // namespace

std::string explainScriptEnd(const UnitEnd& end, const ScriptUnit& unit, const ScriptConfig& config) {
    // The unit "times out" too if what the script leaves in the background ignores SIGTERM and has to be killed.
    const bool inTime = end.code == CLD_EXITED && end.ran < unit.timeout;
    if (end.result == "timeout" && inTime && end.status == 0) return "";
    if (end.result == "timeout" && !inTime) {
        const bool own = config.timeout && static_cast<USec>(*config.timeout * 1e6) <= unit.timeout;
        return fmt::format("{} was ended: it took longer than {} ({}).", nameOf(config),
                           own ? "its timeout allows" : "preprocessTimeout of the job allows",
                           formatSpan(unit.timeout));
    }
    if (end.result == "oom-kill") {
        return fmt::format("{} ran out of memory; raise limits.memoryMax of the job.", nameOf(config));
    }
    if (end.code == CLD_EXITED && end.status != 0) {
        return fmt::format("{} exited with status {}.", nameOf(config), end.status);
    }
    if (end.code == CLD_KILLED || end.code == CLD_DUMPED) return explainSignal(end, unit, config);
    if (end.result != "success") return fmt::format("The unit of {} failed: {}.", config.scriptPath, end.result);
    return "";
}

ScriptSource::ScriptSource(const Plan& plan, const Paths& paths, Ledger& ledger)
    : plan_(plan), paths_(paths), config_(std::get<ScriptConfig>(plan.job.source)), ledger_(ledger),
      log_(fs::path(config_.scriptPath).filename().string()), unit_(scriptUnitName(plan.id)),
      folder_(paths.scratch(plan.id)), output_(folder_ / "output") {}

awaitable<void> ScriptSource::prepare() {
    const auto began = std::chrono::steady_clock::now();
    const auto script = refuseWhatCannotWork();
    makeFolders(script);
    co_await run(unitOf(script, began));
    refuseUselessOutput();
}

ScriptFile ScriptSource::refuseWhatCannotWork() const {
    refuseOpenConfig();
    const auto problems = scriptProblems(config_);
    if (!problems.empty()) throw Error(problems.front().message + ".");
    return openScript(config_.scriptPath);
}

/// A file that is hidden by itself appears again when another takes its name, as when rclone refreshes a token.
void ScriptSource::refuseOpenConfig() const {
    if (!config_.readAll) return;
    for (const auto& folder : foldersOfConfig()) {
        if (std::distance(folder.begin(), folder.end()) > 2) continue; // no folder that scripts need
        throw Error(fmt::format("A script with readAll could read rclone's configuration {}, since {} cannot be hidden "
                                "from it. Move the file to a folder of its own, such as /etc/holdfast.",
                                plan_.settings.rcloneConfig.string(), folder.string()));
    }
}

/// Where the file lies by its name, and where by its target.
std::vector<fs::path> ScriptSource::foldersOfConfig() const {
    const auto& named = plan_.settings.rcloneConfig;
    std::vector<fs::path> folders{named.parent_path()};
    std::error_code failed;
    if (const auto real = fs::canonical(named, failed).parent_path(); !failed && real != folders.front()) {
        folders.push_back(real);
    }
    return folders;
}

/// The script that was looked at is the one that runs, whatever becomes of the file meanwhile.
void ScriptSource::makeFolders(const ScriptFile& script) {
    ledger_.acquire(kinds::scratchFolder, {{"path", folder_.string()}});
    makePrivateFolder(folder_);
    const auto copy = folder_ / "script";
    ledger_.acquire(kinds::scratch, {{"path", copy.string()}});
    replaceFile(copy, script.content, Durability::Volatile);
    allow(copy, 0555);

    outputEntry_ = ledger_.acquire(kinds::scriptOutput, {{"path", output_.string()}});
    makePrivateFolder(output_);
    allow(output_, 0777); // its user is chosen when the unit starts; nobody else can reach the folder
}

ScriptUnit ScriptSource::unitOf(const ScriptFile& script, std::chrono::steady_clock::time_point began) const {
    ScriptUnit unit;
    unit.runId = plan_.id;
    unit.job = plan_.job.name;
    unit.argv = script.interpreter.command;
    unit.argv.push_back(script.path.string());
    unit.argv.insert(unit.argv.end(), config_.scriptArgs.begin(), config_.scriptArgs.end());
    unit.workingDirectory = config_.workingDirectory.value_or(scriptOutputFolder);
    unit.output = output_;
    unit.readable = readable(script);
    unit.hidden = {paths_.state, paths_.jobs(), plan_.settings.rcloneConfig};
    if (config_.readAll) unit.emptied = foldersOfConfig();
    unit.readAll = config_.readAll;
    unit.network = config_.network;
    unit.makesCode = makesCode(script.interpreter.program);
    unit.limits = plan_.job.limits;
    unit.out = log_.write();

    const std::chrono::microseconds passed(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began));
    const auto gone = static_cast<USec>(passed.count()) + marginOf(plan_.job.preprocessTimeout);
    unit.timeout = plan_.job.preprocessTimeout - std::min(gone, plan_.job.preprocessTimeout - 1);
    if (config_.timeout) unit.timeout = std::min(unit.timeout, static_cast<USec>(*config_.timeout * 1e6));
    unit.timeout = std::max(unit.timeout, USec{1});
    const auto any = std::numeric_limits<std::uint64_t>::max();
    unit.fileSizeMax = outputLimit(config_.outputMax.value_or(any), fs::space(output_).available);
    return unit;
}

/// What the script needs of the folders that are hidden from it.
std::vector<ReadableMount> ScriptSource::readable(const ScriptFile& script) const {
    std::vector<ReadableMount> mounts{{folder_ / "script", script.path}};
    const auto show = [&](const fs::path& path) {
        const auto target = hold(path, Owners::Any).real();
        if (isHiddenFromScripts(target)) mounts.push_back({target, target});
        if (path != target && isHiddenFromScripts(path)) mounts.push_back({target, path});
    };
    for (const auto& path : config_.readPaths) show(path);
    if (config_.workingDirectory) show(*config_.workingDirectory);
    return mounts;
}

/// From here on the output may be worth a look when the run fails. Its entry comes before the unit's: what the unit
/// writes to can go only once the unit is gone.
awaitable<void> ScriptSource::run(ScriptUnit unit) {
    const auto executor = co_await asio::this_coro::executor;
    OwnBus bus(executor); // it holds the unit's result until it has been read
    const auto unbegun = std::exchange(
        outputEntry_, ledger_.acquire(kinds::scriptOutput, {{"path", output_.string()}}, OnFailure::Keep));
    ledger_.released(unbegun);
    const auto entry = ledger_.acquire(kinds::scriptUnit, {{"unit", unit_}});
    co_await start(bus.systemd(), scriptUnitProperties(unit));
    const auto end = co_await attend(bus.systemd(), unit.fileSizeMax);
    log_.takeWhatIsThere();
    co_await judge(bus.systemd(), end, unit);
    ledger_.released(entry);
}

awaitable<void> ScriptSource::start(BusSystemd& systemd, UnitProperties properties) {
    auto starting = caught(systemd.start(unit_, std::move(properties)));
    const auto failure = co_await std::move(starting);
    log_.closeWrite();
    if (!failure) co_return;
    co_await waitIfStopped(systemd);
    // A folder in which nothing was begun is not worth keeping.
    removeOfRun(output_, plan_.id);
    ledger_.released(outputEntry_);
    UnitEnd end;
    try {
        end = co_await systemd.untilEnded(unit_);
    } catch (const Error&) {
        std::rethrow_exception(failure); // it was refused, and there never was one
    }
    std::string why;
    try {
        std::rethrow_exception(failure);
    } catch (const Error& e) {
        why = explainStart(end, config_, e.what());
    }
    throw Error(why);
}

/// When the run's unit is to stop, the script's is stopped first, and only then are we told.
awaitable<void> ScriptSource::waitIfStopped(BusSystemd& systemd) {
    const bool stopped = co_await systemd.isBeingStopped(fmt::format("holdfast-run-{}.service", plan_.id));
    if (stopped) co_await sleepFor(30s);
}

/// Waits for the end of the script, while its output is followed and measured.
awaitable<UnitEnd> ScriptSource::attend(BusSystemd& systemd, std::uint64_t outputMax) {
    using namespace asio::experimental::awaitable_operators;
    UnitEnd end;
    auto passed = Passed::Bytes;
    const auto limits = outputLimits(outputMax, output_);
    auto wait = [&]() -> awaitable<void> { end = co_await systemd.untilEnded(unit_); };
    const auto first =
        co_await (caught(wait()) || caught(untilOutputPasses(limits, output_, unit_, background_, passed)) ||
                  caught(log_.follow()));
    const auto failure = std::visit([](const std::exception_ptr& thrown) { return thrown; }, first);
    if (failure) std::rethrow_exception(failure);
    if (first.index() == 1) {
        throw Error(fmt::format("{} was ended: {}.{}", nameOf(config_), explainPassed(passed, limits), lastWords()));
    }
    co_return end;
}

std::string ScriptSource::explainPassed(Passed passed, const OutputLimits& limits) const {
    switch (passed) {
    case Passed::Bytes:
        return fmt::format("it wrote more than {}, which is {}", formatBytes(limits.bytes),
                           config_.outputMax == limits.bytes ? "its outputMax"
                                                             : "nine tenths of the room that was free");
    case Passed::Entries:
        return fmt::format("it made more than {} files, which is nine tenths of those that there was room for",
                           limits.entries);
    case Passed::Depth:
        return "it made folders so deep that they can neither be measured nor copied";
    }
    throw std::logic_error("There is no such limit.");
}

awaitable<void> ScriptSource::judge(BusSystemd& systemd, UnitEnd end, ScriptUnit unit) {
    if (end.code == CLD_EXITED) exitCode_ = end.status;
    const auto explanation = explainScriptEnd(end, unit, config_);
    if (explanation.empty()) {
        const auto left = co_await survivors(unit_);
        if (left.empty()) co_return;
        throw Error(fmt::format("{} left processes behind that cannot be ended.", nameOf(config_)));
    }
    co_await waitIfStopped(systemd);
    const auto use = folderUse(output_, Stop{});
    std::string full;
    if (use.largestFile >= unit.fileSizeMax) full = " Its output reached the size that it may have.";
    throw Error(explanation + full + lastWords());
}

std::string ScriptSource::preparing() const { return nameOf(config_); }

std::string ScriptSource::lastWords() const {
    auto lines = log_.lastLines();
    if (lines.empty()) return " It wrote nothing to its standard output or error.";
    for (std::size_t at = 0; (at = lines.find('\n', at)) != std::string::npos;) lines.replace(at, 1, " | ");
    return fmt::format(" Its last lines: {}", lines);
}

void ScriptSource::refuseUselessOutput() const {
    const auto use = folderUse(output_, Stop{});
    if (use.tooDeep) {
        throw Error(fmt::format("What {} wrote is no backup: {}.", nameOf(config_), explainPassed(Passed::Depth, {})));
    }
    if (use.content > 0) return;
    throw Error(fmt::format("{} wrote nothing: it must write what is to be backed up to files in the folder that the "
                            "variable HOLDFAST_OUTPUT_DIR names.{}",
                            nameOf(config_), lastWords()));
}

Upload ScriptSource::upload() {
    return StoredTree{std::make_shared<const HeldPath>(hold(output_, Owners::Any)), {}, true};
}

nlohmann::json ScriptSource::metadata() const {
    auto metadata = nlohmann::json::object();
    if (exitCode_) metadata["scriptExitCode"] = *exitCode_;
    return metadata;
}

nlohmann::json ScriptSource::manifest() const { return {{"scriptPath", config_.scriptPath}, {"exitCode", 0}}; }

awaitable<void> undoScriptUnit(nlohmann::json entry, std::string runId) {
    const auto unit = entry.at("unit").get<std::string>();
    if (unit != scriptUnitName(runId))
        throw Error(fmt::format("{} is not stopped: run {} has not started it.", unit, runId));
    const auto executor = co_await asio::this_coro::executor;
    OwnBus bus(executor);
    co_await bus.systemd().stop(unit);
    co_await bus.systemd().untilGone(unit);
    const auto left = co_await survivors(unit);
    if (!left.empty()) throw Error(fmt::format("Processes of {} do not end.", unit));
}

} // namespace holdfast
