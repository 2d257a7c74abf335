#include "unit/properties.hpp"

#include "unit/property.hpp"
#include "unit/sandbox.hpp"

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

namespace holdfast {

namespace {

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

const std::set<SourceType> allSources{SourceType::None, SourceType::Zfs, SourceType::Flash, SourceType::Script,
                                      SourceType::Docker};

Sandbox basicSandbox(const std::filesystem::path& rcloneConfig, const Paths& paths) {
    Sandbox sandbox;
    // rclone writes its configuration beside and renames when it refreshes a token, so the folder is what it needs.
    sandbox.writable = {paths.state, paths.runtime, rcloneConfig.parent_path()};
    // Written by the daemon alone, though they lie in writable folders.
    sandbox.readOnly = {paths.jobs(), paths.settings(), paths.queue()};
    return sandbox;
}

/// Into a dataset, ZFS itself writes. Into a folder, an archive of unknown origin is unpacked, with the owners and
/// modes that it names: whatever tar lets through, nothing but the folder's neighbours can be written.
void restrictToFolder(Sandbox& sandbox, const std::filesystem::path& parent) {
    if (sandbox.sources.contains(SourceType::Zfs)) return;
    sandbox.protectSystem = "strict";
    sandbox.writable.push_back(parent);
    for (const char* home : {"/home", "/root"}) { // which "strict" leaves to ProtectHome=
        if (parent != home) sandbox.readOnly.emplace_back(home);
    }
    sandbox.restoresFiles = true;
}

/// Only the engine knows where the volumes lie, device files in them included.
void allowVolumes(Sandbox& sandbox) {
    sandbox.restoresFiles = true;
    sandbox.makesDevices = true;
}

Sandbox sandboxFor(const Plan& plan, const Paths& paths) {
    Sandbox sandbox = basicSandbox(plan.settings.rcloneConfig, paths);
    sandbox.sources = {plan.job.sourceType()};
    if (!plan.backsUp()) {
        if (const auto* restore = std::get_if<RestoreTask>(&plan.task)) {
            if (restore->intoVolumes)
                allowVolumes(sandbox);
            else
                restrictToFolder(sandbox, std::filesystem::path(restore->target).parent_path());
        }
        if (plan.drills()) restrictToFolder(sandbox, paths.cache());
        return sandbox;
    }
    if (const auto* flash = std::get_if<FlashConfig>(&plan.job.source)) {
        // The work tree too: .gitattributes is kept up to date there.
        sandbox.writable.push_back(std::filesystem::path(flash->gitPath).parent_path());
        if (flash->localCachePath) {
            sandbox.writable.push_back(std::filesystem::path(*flash->localCachePath).parent_path());
        }
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

/// For a cleanup that has only the ledger to go by: what is to be undone may lie anywhere, /boot and /etc included.
Sandbox sandboxWithoutPlan(const Paths& paths) {
    Sandbox sandbox = basicSandbox(paths.config / "rclone.conf", paths);
    sandbox.protectSystem = "no";
    sandbox.readOnly.emplace_back("/usr");
    sandbox.sources = allSources;
    return sandbox;
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

UnitProperties cleanupUnitProperties(const std::string& runId, const Plan* plan, const Paths& paths) {
    UnitProperties properties;
    addCommon(properties, fmt::format("Holdfast cleanup after run {}", runId), {HOLDFAST_WORKER, "--cleanup", runId});
    add(properties, "TimeoutStopUSec", std::uint64_t{30 * second});
    add(properties, "RuntimeMaxUSec", std::uint64_t{10 * minute});
    add(properties, "Slice", std::string("holdfast-runs.slice"));
    const Sandbox sandbox = plan != nullptr ? sandboxFor(*plan, paths) : sandboxWithoutPlan(paths);
    add(properties, "After", startAfter(sandbox.sources));
    addLogFields(properties, {{"HOLDFAST_RUN", runId}});
    addSandbox(properties, sandbox);
    return properties;
}

UnitProperties probeUnitProperties(const std::string& probeId, const std::filesystem::path& rcloneConfig,
                                   SourceType source, const Paths& paths) {
    UnitProperties properties;
    addCommon(properties, "Holdfast probe", {HOLDFAST_WORKER, "--probe", probeId});
    add(properties, "TimeoutStopUSec", std::uint64_t{10 * second});
    add(properties, "RuntimeMaxUSec", std::uint64_t{60 * second});
    add(properties, "MemoryMax", std::uint64_t{512} << 20U);
    add(properties, "TasksMax", std::uint64_t{128});
    add(properties, "Slice", std::string("holdfast-runs.slice"));
    Sandbox sandbox = basicSandbox(rcloneConfig, paths);
    sandbox.sources = {source};
    addSandbox(properties, sandbox);
    return properties;
}

} // namespace holdfast
