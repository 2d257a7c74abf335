#include "unit/script_unit.hpp"

#include "unit/property.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/mount.h>

// What is allowed, and why.
//  - AF_UNIX: databases are dumped through their sockets. With PrivateNetwork= the abstract ones are out of reach.
//  - /tmp, /var/tmp and /dev/shm are the script's own and go with its unit.

namespace holdfast {

namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr std::uint64_t defaultMemory = std::uint64_t{1} << 30U;
constexpr std::uint64_t defaultCpu = 2 * usecPerSec; ///< two processors' worth
constexpr std::uint64_t defaultTasks = 256;
constexpr USec stopTimeout = 10 * usecPerSec; ///< from SIGTERM to SIGKILL

constexpr std::uint64_t readAnything = std::uint64_t{1} << unsigned{CAP_DAC_READ_SEARCH};

void addService(UnitProperties& properties, const ScriptUnit& unit) {
    const std::string run = fmt::format("holdfast-run-{}.service", unit.runId);
    add(properties, "Description", fmt::format("Script of Holdfast job {}", unit.job));
    add(properties, "Type", std::string("exec")); // so that a script that cannot be run fails to start
    add(properties, "AddRef", true);
    add(properties, "CollectMode", std::string("inactive-or-failed"));
    add(properties, "BindsTo", Strings{run});
    add(properties, "After", Strings{run});
    add(properties, "Slice", std::string("holdfast-runs.slice"));
    addCommand(properties, "ExecStart", unit.argv);
    add(properties, "WorkingDirectory", unit.workingDirectory);
    add(properties, "Environment",
        Strings{fmt::format("HOLDFAST_JOB={}", unit.job), fmt::format("HOLDFAST_RUN={}", unit.runId),
                fmt::format("HOLDFAST_OUTPUT_DIR={}", scriptOutputFolder)});
    addLogFields(properties, {{"HOLDFAST_JOB", unit.job}, {"HOLDFAST_RUN", unit.runId}});
    if (unit.out >= 0) {
        add(properties, "StandardOutputFileDescriptor", sdbus::UnixFd(unit.out));
        add(properties, "StandardErrorFileDescriptor", sdbus::UnixFd(unit.out));
    }
}

void addLimits(UnitProperties& properties, const ScriptUnit& unit) {
    const Limits& limits = unit.limits;
    add(properties, "RuntimeMaxUSec", std::uint64_t{unit.timeout});
    add(properties, "TimeoutStopUSec", std::uint64_t{stopTimeout});
    add(properties, "MemoryMax", std::uint64_t{limits.memoryMax.value_or(defaultMemory)});
    add(properties, "MemorySwapMax", std::uint64_t{0});
    add(properties, "CPUQuotaPerSecUSec", std::uint64_t{limits.cpuQuotaPerSecUSec.value_or(defaultCpu)});
    add(properties, "TasksMax", std::uint64_t{limits.tasksMax.value_or(defaultTasks)});
    add(properties, "LimitFSIZE", unit.fileSizeMax);
    add(properties, "LimitCORE", std::uint64_t{0});
    add(properties, "Nice", std::int32_t{5});
    add(properties, "IOSchedulingClass", std::int32_t{2}); // best effort
    add(properties, "IOSchedulingPriority", std::int32_t{7});
}

void addFiles(UnitProperties& properties, const ScriptUnit& unit) {
    using Mount = sdbus::Struct<std::string, std::string, bool, std::uint64_t>;
    using Tmpfs = sdbus::Struct<std::string, std::string>;
    const auto mount = [](const fs::path& from, const fs::path& at) {
        return Mount(from.string(), at.string(), false, std::uint64_t{MS_REC}); // with what is mounted below
    };

    add(properties, "ProtectSystem", std::string("strict"));
    std::vector<Mount> readable;
    for (const auto& item : unit.readable) readable.push_back(mount(item.from, item.at));
    const bool home = std::any_of(unit.readable.begin(), unit.readable.end(),
                                  [](const ReadableMount& item) { return isHiddenFromScripts(item.at); });
    // Nothing can be mounted below what "yes" puts there.
    const char* protectHome = "yes";
    if (home) protectHome = "tmpfs";
    if (unit.readAll) protectHome = "read-only";
    add(properties, "ProtectHome", std::string(protectHome));
    add(properties, "BindReadOnlyPaths", readable);
    std::vector<Tmpfs> emptied{Tmpfs("/run/holdfast", "ro,mode=0755")};
    for (const auto& folder : unit.emptied) emptied.emplace_back(folder.string(), "ro,mode=0755");
    add(properties, "TemporaryFileSystem", emptied);
    add(properties, "BindPaths", std::vector<Mount>{mount(unit.output, scriptOutputFolder)});
    Strings hidden;
    for (const auto& path : unit.hidden) hidden.push_back("-" + path.string());
    add(properties, "InaccessiblePaths", hidden);
    add(properties, "PrivateTmp", true);
    add(properties, "PrivateDevices", true);
    add(properties, "DevicePolicy", std::string("closed"));
}

void addSystemCalls(UnitProperties& properties, const ScriptUnit& unit) {
    addList(properties, "SystemCallFilter", true, {"@system-service"});
    addList(properties, "SystemCallFilter", false,
            {"@privileged", "@resources", "@keyring", "@mount", "@debug", "@module", "@raw-io", "@reboot", "@swap",
             "@clock", "@cpu-emulation", "@obsolete"});
    // An error and not a signal, which would leave nothing to read in the journal.
    add(properties, "SystemCallErrorNumber", std::int32_t{EPERM});
    add(properties, "SystemCallArchitectures", Strings{"native"});
    add(properties, "MemoryDenyWriteExecute", !unit.makesCode);
}

void addRights(UnitProperties& properties, const ScriptUnit& unit) {
    const std::uint64_t capabilities = unit.readAll ? readAnything : 0;
    add(properties, "DynamicUser", true);
    add(properties, "NoNewPrivileges", true);
    add(properties, "CapabilityBoundingSet", capabilities);
    add(properties, "AmbientCapabilities", capabilities);
    // A capability means nothing outside of the user namespace that it is held in.
    add(properties, "PrivateUsers", !unit.readAll);
    add(properties, "PrivateNetwork", !unit.network);
    Strings families{"AF_UNIX"};
    if (unit.network) families.insert(families.end(), {"AF_INET", "AF_INET6", "AF_NETLINK"});
    addList(properties, "RestrictAddressFamilies", true, families);
    forbidNamespaces(properties);
    for (const char* name :
         {"ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock",
          "ProtectHostname", "PrivateIPC", "LockPersonality", "RestrictRealtime", "RestrictSUIDSGID", "RemoveIPC"}) {
        add(properties, name, true);
    }
    add(properties, "ProtectProc", std::string("invisible"));
    add(properties, "ProcSubset", std::string("pid"));
    add(properties, "KeyringMode", std::string("private"));
    add(properties, "UMask", std::uint32_t{0077});
}

bool isBelow(const fs::path& path, const fs::path& folder) {
    const auto [inFolder, inPath] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return inFolder == folder.end();
}

} // namespace

std::string scriptUnitName(const std::string& runId) { return fmt::format("holdfast-script-{}.service", runId); }

bool isHiddenFromScripts(const fs::path& path) {
    return isBelow(path, "/home") || isBelow(path, "/root") || isBelow(path, "/run/user");
}

UnitProperties scriptUnitProperties(const ScriptUnit& unit) {
    UnitProperties properties;
    addService(properties, unit);
    addLimits(properties, unit);
    addFiles(properties, unit);
    addSystemCalls(properties, unit);
    addRights(properties, unit);
    return properties;
}

} // namespace holdfast
