#include "unit/properties.hpp"

#include "run/ledger.hpp"
#include "unit/property.hpp"
#include "unit/rclone_config.hpp"
#include "unit/sandbox.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace holdfast {

namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr USec second = usecPerSec;
constexpr USec minute = 60 * second;

void addCommon(UnitProperties& properties, const std::string& description, const Strings& argv) {
    add(properties, "Description", description);
    // Not oneshot, which ignores RuntimeMaxSec=.
    add(properties, "Type", std::string("exec"));
    // A failed unit would block its name.
    add(properties, "CollectMode", std::string("inactive-or-failed"));
    // TERM goes to the worker alone, which ends its children in order; what is left after TimeoutStopSec= is killed.
    add(properties, "KillMode", std::string("mixed"));
    add(properties, "SyslogIdentifier", std::string("holdfast-run"));
    addCommand(properties, "ExecStart", argv);
    for (const char* name : {"CPUAccounting", "MemoryAccounting", "TasksAccounting", "IOAccounting", "IPAccounting"}) {
        add(properties, name, true);
    }
    // Backups give way to what the machine is there for.
    add(properties, "Nice", std::int32_t{5});
    add(properties, "IOSchedulingClass", std::int32_t{2}); // best effort
    add(properties, "IOSchedulingPriority", std::int32_t{7});
}

void addLimits(UnitProperties& properties, const Limits& limits) {
    if (limits.memoryMax) add(properties, "MemoryMax", std::uint64_t{*limits.memoryMax});
    if (limits.cpuQuotaPerSecUSec) add(properties, "CPUQuotaPerSecUSec", std::uint64_t{*limits.cpuQuotaPerSecUSec});
    if (limits.tasksMax) add(properties, "TasksMax", std::uint64_t{*limits.tasksMax});
    if (limits.runtimeMax) add(properties, "RuntimeMaxUSec", std::uint64_t{*limits.runtimeMax});
}

/// What must still be there when a run is stopped at shutdown. Order only: none of it is started for us, and names that
/// do not exist here are ignored.
Strings startAfter(const std::set<SourceType>& sources) {
    Strings units{"network.target", "network-online.target", "nss-lookup.target", "remote-fs.target"};
    if (sources.contains(SourceType::Zfs)) {
        units.insert(units.end(), {"zfs.target", "zfs-mount.service", "zfs-import.target", "zfs-fuse.service"});
    }
    if (sources.contains(SourceType::Docker)) {
        units.insert(units.end(), {"docker.service", "docker.socket", "podman.service", "podman.socket"});
    }
    return units;
}

/// rclone writes its configuration beside and renames when it refreshes a token, so the folder is what it needs. A
/// folder of the system's is too much for that.
void allowRefresh(Sandbox& sandbox, const fs::path& rcloneConfig) {
    const auto folder = rcloneConfig.parent_path();
    if (folder != "/" && folder != "/etc" && RcloneConfig(rcloneConfig).isRewritten())
        sandbox.writable.push_back(folder);
}

/// What is Holdfast's own is read-only, but for what this run's programs must write themselves. (The ledger is one
/// file, and its folder that of all runs.)
Sandbox sandboxOfRun(const std::string& id, const fs::path& rcloneConfig, const Paths& paths) {
    Sandbox sandbox;
    sandbox.readOnly = {paths.state, paths.runtime, paths.config, paths.jobs(), paths.settings(), paths.plan(id)};
    sandbox.writable = {paths.ledger(id), paths.result(id).parent_path(), paths.cache(), paths.live(id)};
    allowRefresh(sandbox, rcloneConfig);
    return sandbox;
}

/// Nothing but Holdfast's own files.
void writeNothing(Sandbox& sandbox) {
    sandbox.strict = true;
    sandbox.homesReadOnly = true;
}

/// The folder, or the nearest above it that is there, in which it can be made. What the daemon does not see counts as
/// there.
fs::path folderThatIsThere(fs::path folder) {
    constexpr std::array unseen{"/home", "/root", "/tmp", "/var/tmp", "/run/user"};
    const auto hides = [&](const char* place) {
        return (folder / "").string().starts_with((fs::path(place) / "").string());
    };
    if (std::any_of(unseen.begin(), unseen.end(), hides)) return folder;
    std::error_code error;
    while (folder != "/" && !fs::exists(folder, error)) folder = folder.parent_path();
    return folder;
}

/// Into a folder, an archive of unknown origin is unpacked, with the owners and modes that it names: whatever tar lets
/// through, nothing but the folder's neighbours can be written.
void restoreInto(Sandbox& sandbox, const fs::path& folder) {
    sandbox.restoresFiles = true;
    sandbox.homesReadOnly = true;
    const auto parent = folderThatIsThere(folder.parent_path());
    if (parent != "/") {
        sandbox.strict = true;
        const auto& writable = sandbox.writable;
        if (std::find(writable.begin(), writable.end(), parent) == writable.end()) sandbox.writable.push_back(parent);
        return;
    }
    // / cannot be writable while what is in it is not, unless each is named.
    std::error_code unreadable;
    for (const auto& item : fs::directory_iterator("/", unreadable)) {
        const auto name = item.path().filename();
        const bool ofKernel = name == "proc" || name == "sys" || name == "dev";
        if (!ofKernel && item.path() != folder && item.is_directory()) sandbox.readOnly.push_back(item.path());
    }
}

/// Only the engine knows where the volumes lie, device files in them included.
void restoreVolumes(Sandbox& sandbox) {
    sandbox.sources = {SourceType::Docker};
    sandbox.restoresFiles = true;
    sandbox.makesDevices = true;
}

/// Follows the target, which was authorized, and nothing that lies at the remote. Into a dataset, ZFS itself writes.
void restoreTo(Sandbox& sandbox, bool intoVolumes, const std::string& target) {
    if (intoVolumes)
        restoreVolumes(sandbox);
    else if (fs::path(target).is_absolute())
        restoreInto(sandbox, target);
    else
        sandbox.sources = {SourceType::Zfs};
}

void drill(Sandbox& sandbox, SourceType source, const Paths& paths) {
    if (source == SourceType::Zfs)
        sandbox.sources = {SourceType::Zfs};
    else
        restoreInto(sandbox, paths.cache() / "drill");
}

void prepareSource(Sandbox& sandbox, SourceType source, const Paths& paths) {
    sandbox.sources = {source};
    sandbox.startsUnits = source == SourceType::Script;
    if (source == SourceType::Zfs) sandbox.writable.push_back(paths.base("x").parent_path());
}

void backUp(Sandbox& sandbox, const Plan& plan, const Paths& paths) {
    prepareSource(sandbox, plan.job.sourceType(), paths);
    sandbox.keepsOwners = plan.job.rcloneOptions.value("metadata", false);
    if (!RcloneConfig(plan.settings.rcloneConfig).reachesDisk(plan.job.remoteName)) writeNothing(sandbox);
    if (const auto* flash = std::get_if<FlashConfig>(&plan.job.source)) {
        // The work tree too: .gitattributes is kept up to date there.
        sandbox.writable.push_back(fs::path(flash->gitPath).parent_path());
        if (flash->localCachePath) {
            sandbox.writable.push_back(folderThatIsThere(fs::path(*flash->localCachePath).parent_path()));
        }
    }
}

Sandbox sandboxFor(const Plan& plan, const Paths& paths) {
    Sandbox sandbox = sandboxOfRun(plan.id, plan.settings.rcloneConfig, paths);
    if (plan.backsUp())
        backUp(sandbox, plan, paths);
    else if (const auto* task = std::get_if<RestoreTask>(&plan.task))
        restoreTo(sandbox, task->intoVolumes, task->target);
    else if (plan.drills())
        drill(sandbox, plan.job.sourceType(), paths);
    else if (std::holds_alternative<VerifyTask>(plan.task))
        writeNothing(sandbox);
    return sandbox;
}

/// For a cleanup that has only the ledger to go by. Where the work tree of a repository lies its header does not say,
/// and it may be /boot or /etc.
Sandbox sandboxFor(const LedgerHeader& header, const Paths& paths) {
    Sandbox sandbox = sandboxOfRun(header.id, header.rcloneConfig, paths);
    const auto source = static_cast<SourceType>(emptySourceConfig(header.sourceType).index());
    const bool backsUp = header.kind == "streaming" || header.kind == "copy";
    const bool intoVolumes = source == SourceType::Docker && !fs::path(header.outputPath).is_absolute();
    if (header.kind == "restore") restoreTo(sandbox, intoVolumes, header.outputPath);
    if (header.kind == "drill") drill(sandbox, source, paths);
    if (header.kind == "verify") writeNothing(sandbox);
    if (backsUp) prepareSource(sandbox, source, paths);
    if (backsUp && source == SourceType::Flash) {
        for (const char* folder : {"/boot", "/efi", "/etc"}) sandbox.writable.emplace_back(folder);
    }
    return sandbox;
}

std::string description(const Plan& plan) {
    if (plan.backsUp()) return fmt::format("Holdfast backup run of job {}", plan.job.name);
    if (std::holds_alternative<PruneTask>(plan.task)) {
        return fmt::format("Holdfast removal of old backups of job {}", plan.job.name);
    }
    if (std::holds_alternative<JanitorTask>(plan.task)) {
        return fmt::format("Holdfast clean-up of {}", plan.outputPath());
    }
    return fmt::format("Holdfast {} of a backup of job {}", plan.kind(), plan.job.name);
}

UnitProperties cleanupUnit(const std::string& runId, const Sandbox& sandbox) {
    UnitProperties properties;
    addCommon(properties, fmt::format("Holdfast cleanup after run {}", runId), {HOLDFAST_WORKER, "--cleanup", runId});
    add(properties, "TimeoutStopUSec", std::uint64_t{30 * second});
    add(properties, "RuntimeMaxUSec", std::uint64_t{10 * minute});
    add(properties, "Slice", std::string("holdfast-runs.slice"));
    add(properties, "After", startAfter(sandbox.sources));
    addLogFields(properties, {{"HOLDFAST_RUN", runId}});
    addSandbox(properties, sandbox);
    return properties;
}

} // namespace

UnitProperties runUnitProperties(const Plan& plan, const Paths& paths) {
    UnitProperties properties;
    addCommon(properties, description(plan), {HOLDFAST_WORKER, plan.id});
    addCommand(properties, "ExecStopPost", {HOLDFAST_WORKER, "--cleanup", plan.id});
    add(properties, "NotifyAccess", std::string("main")); // or STATUS= would be dropped
    // Of the stop, and again of ExecStopPost=.
    add(properties, "TimeoutStopUSec", std::uint64_t{5 * minute});
    // When the kernel kills one process of ours for its memory (rclone, as a rule), the worker lives on to clean up and
    // say so.
    add(properties, "OOMPolicy", std::string("continue"));
    add(properties, "Slice", std::string("holdfast-runs.slice"));
    const Sandbox sandbox = sandboxFor(plan, paths);
    add(properties, "After", startAfter(sandbox.sources));
    addLogFields(properties, {{"HOLDFAST_JOB", plan.job.name}, {"HOLDFAST_RUN", plan.id}});
    addLimits(properties, plan.job.limits);
    addSandbox(properties, sandbox);
    return properties;
}

UnitProperties cleanupUnitProperties(const Plan& plan, const Paths& paths) {
    return cleanupUnit(plan.id, sandboxFor(plan, paths));
}

UnitProperties cleanupUnitProperties(const LedgerHeader& header, const Paths& paths) {
    return cleanupUnit(header.id, sandboxFor(header, paths));
}

UnitProperties probeUnitProperties(const ProbeUnit& probe, const Paths& paths) {
    UnitProperties properties;
    addCommon(properties, "Holdfast probe", {HOLDFAST_WORKER, "--probe", probe.id});
    add(properties, "TimeoutStopUSec", std::uint64_t{10 * second});
    add(properties, "RuntimeMaxUSec", std::uint64_t{60 * second});
    add(properties, "MemoryMax", std::uint64_t{512} << 20U);
    add(properties, "TasksMax", std::uint64_t{128});
    add(properties, "Slice", std::string("holdfast-runs.slice"));
    Sandbox sandbox;
    sandbox.sources = {probe.source};
    sandbox.readOnly = {paths.state, paths.runtime, paths.config, paths.jobs(), paths.settings()};
    sandbox.writable = {paths.probe(probe.id)};
    allowRefresh(sandbox, probe.rcloneConfig);
    if (!probe.writes) writeNothing(sandbox);
    addSandbox(properties, sandbox);
    return properties;
}

} // namespace holdfast
