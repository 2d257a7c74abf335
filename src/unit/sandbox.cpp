#include "unit/sandbox.hpp"

#include "unit/property.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <linux/capability.h>

// What is not here, and why. A run reads what the job names and writes where rclone's configuration points, and the
// daemon can know neither ahead: a remote may be an alias of any local folder.
//  - ProtectSystem=strict, ProtectHome=: a destination on a local disk would be refused.
//  - PrivateTmp=: a backup to a folder under /tmp or /var/tmp would be verified there and vanish with the unit. What is
//  hidden
//    or replaced loses data in silence; what is read-only fails aloud. So nothing is hidden but /dev.
//  - User=, PrivateUsers=: other people's files are read with their owners and modes.
//  - PrivateNetwork=, IPAddressDeny=: the destination is on the network.
//  - ProcSubset=pid: the worker reads /proc/sys (size of pipes) and zfs reads /proc/spl.

namespace holdfast {

namespace {

using Strings = std::vector<std::string>;
using Properties = UnitProperties;

bool needsZfs(const Sandbox& sandbox) { return sandbox.sources.contains(SourceType::Zfs); }

constexpr std::uint64_t bit(unsigned capability) { return std::uint64_t{1} << capability; }

std::uint64_t capabilities(const Sandbox& sandbox) {
    // Files of any owner are read, copied to local remotes, and committed to repositories that are not root's.
    std::uint64_t mask = bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) | bit(CAP_CHOWN);
    if (needsZfs(sandbox)) mask |= bit(CAP_SYS_ADMIN);
    if (sandbox.restoresFiles) mask |= bit(CAP_FSETID) | bit(CAP_SETFCAP);
    if (sandbox.makesDevices) mask |= bit(CAP_MKNOD);
    return mask;
}

void addSystemCalls(Properties& properties, const Sandbox& sandbox) {
    addList(properties, "SystemCallFilter", true, {"@system-service"});
    addList(properties, "SystemCallFilter", false, {"@privileged", "@resources", "@keyring"});
    // @chown is a part of @privileged.
    addList(properties, "SystemCallFilter", true, {"@chown"});
    if (needsZfs(sandbox)) addList(properties, "SystemCallFilter", true, {"@mount"});
    // An error, not a signal: Go raises its own limits at start, and lives without.
    add(properties, "SystemCallErrorNumber", std::int32_t{EPERM});
    add(properties, "SystemCallArchitectures", Strings{"native"});
}

void addDevices(Properties& properties, const Sandbox& sandbox) {
    using Device = sdbus::Struct<std::string, std::string>;
    if (needsZfs(sandbox)) {
        add(properties, "DevicePolicy", std::string("closed"));
        add(properties, "DeviceAllow", std::vector<Device>{Device("/dev/zfs", "rw")});
    } else if (sandbox.makesDevices) {
        add(properties, "DevicePolicy", std::string("closed"));
        add(properties, "DeviceAllow", std::vector<Device>{Device("char-*", "m"), Device("block-*", "m")});
    } else {
        add(properties, "PrivateDevices", true);
    }
}

/// "-" in front: a folder that is not there is no error.
Strings optionalPaths(const std::vector<std::filesystem::path>& paths) {
    Strings result;
    for (const auto& path : paths) result.push_back("-" + path.string());
    return result;
}

} // namespace

void addSandbox(Properties& properties, const Sandbox& sandbox) {
    add(properties, "ProtectSystem", sandbox.protectSystem);
    add(properties, "ReadWritePaths", optionalPaths(sandbox.writable));
    add(properties, "ReadOnlyPaths", optionalPaths(sandbox.readOnly));

    add(properties, "NoNewPrivileges", true);
    add(properties, "CapabilityBoundingSet", capabilities(sandbox));
    add(properties, "AmbientCapabilities", std::uint64_t{0});
    addSystemCalls(properties, sandbox);
    addDevices(properties, sandbox);
    addList(properties, "RestrictAddressFamilies", true, {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"});

    for (const char* name :
         {"ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock",
          "ProtectHostname", "PrivateIPC", "LockPersonality", "MemoryDenyWriteExecute", "RestrictRealtime"}) {
        add(properties, name, true);
    }
    add(properties, "RestrictSUIDSGID", !sandbox.restoresFiles);
    forbidNamespaces(properties);
    add(properties, "ProtectProc", std::string("invisible"));
    add(properties, "KeyringMode", std::string("private"));
    add(properties, "UMask", std::uint32_t{0077});
    add(properties, "LimitCORE", std::uint64_t{0}); // a core of rclone would hold the remotes' secrets
}

} // namespace holdfast
