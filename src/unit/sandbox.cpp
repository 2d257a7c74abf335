#include "unit/sandbox.hpp"

#include "unit/property.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <linux/capability.h>
#include <sys/mount.h>

// What is not here, and why. A run reads what the job names and writes where rclone's configuration points, and a
// remote may be an alias of any local folder.
//  - "strict", for all: a destination on a local disk would be refused.
//  - ProtectHome=: likewise, and what is backed up may lie there.
//  - PrivateTmp=: a backup to a folder under /tmp or /var/tmp would be verified there and vanish with the unit. What is
//    hidden or replaced loses data in silence; what is read-only fails aloud. So nothing is hidden but /dev, and
//    sockets of those who give root more than the unit has.
//  - User=, PrivateUsers=: other people's files are read with their owners and modes.
//  - PrivateNetwork=, IPAddressDeny=: the destination is on the network.

namespace holdfast {

namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;
using Properties = UnitProperties;

bool needsZfs(const Sandbox& sandbox) { return sandbox.sources.contains(SourceType::Zfs); }

/// Who listens there does for root what root's unit may not: starts units, and containers, virtual machines and
/// packages that see the whole machine.
constexpr std::array engineSockets{"/run/user",
                                   "/run/docker.sock",
                                   "/run/docker",
                                   "/run/podman",
                                   "/run/containerd",
                                   "/run/crio",
                                   "/run/buildkit",
                                   "/run/libvirt",
                                   "/run/incus",
                                   "/run/lxd.socket",
                                   "/var/lib/incus/unix.socket",
                                   "/var/lib/lxd/unix.socket",
                                   "/var/snap/lxd/common/lxd",
                                   "/run/snapd.socket"};
/// What is left of /run/systemd where systemd cannot be reached: the journal, STATUS=, names of hosts, and which units
/// live. (To hide its private socket alone does not do: daemon-reexec makes that anew.)
constexpr std::array harmlessOfSystemd{"/run/systemd/journal", "/run/systemd/notify", "/run/systemd/resolve",
                                       "/run/systemd/units"};

bool keepsOwners(const Sandbox& sandbox) { return sandbox.keepsOwners || sandbox.restoresFiles; }

constexpr std::uint64_t bit(unsigned capability) { return std::uint64_t{1} << capability; }

std::uint64_t capabilities(const Sandbox& sandbox) {
    // Files of any owner are read, replaced at local remotes, and committed to repositories that are not root's.
    std::uint64_t mask = bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER);
    if (keepsOwners(sandbox)) mask |= bit(CAP_CHOWN);
    if (needsZfs(sandbox)) mask |= bit(CAP_SYS_ADMIN);
    if (sandbox.restoresFiles) mask |= bit(CAP_FSETID) | bit(CAP_SETFCAP);
    if (sandbox.makesDevices) mask |= bit(CAP_MKNOD);
    return mask;
}

void addSystemCalls(Properties& properties, const Sandbox& sandbox) {
    addList(properties, "SystemCallFilter", true, {"@system-service"});
    addList(properties, "SystemCallFilter", false, {"@privileged", "@resources", "@keyring"});
    // @chown is a part of @privileged.
    if (keepsOwners(sandbox)) addList(properties, "SystemCallFilter", true, {"@chown"});
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
template<typename Paths>
Strings optionalPaths(const Paths& paths) {
    Strings result;
    for (const auto& path : paths) result.push_back("-" + fs::path(path).string());
    return result;
}

/// Where the path leads, if that can be seen from here.
fs::path leadsTo(const fs::path& path) {
    std::error_code unseen;
    const auto real = fs::weakly_canonical(path, unseen);
    return unseen ? path.lexically_normal() : real;
}

/// Folders that a property of systemd makes read-only.
struct Protection {
    const char* property;
    const char* value;
    std::vector<fs::path> folders;
};

const Protection ofSystem{"ProtectSystem", "full", {"/usr", "/boot", "/efi", "/etc"}};
const Protection ofHomes{"ProtectHome", "read-only", {"/home", "/root", "/run/user"}};

bool isAnyOf(const fs::path& path, const std::set<fs::path>& paths) { return paths.contains(leadsTo(path)); }

/// Of one and the same path, systemd takes the read-only one, whichever property says so. Where a folder of the
/// property's is to be writable, the others are added to `readOnly` in its place.
void addProtection(Properties& properties, const Protection& protection, const std::set<fs::path>& writable,
                   std::vector<fs::path>& readOnly) {
    const auto& folders = protection.folders;
    if (std::any_of(folders.begin(), folders.end(), [&](const fs::path& path) { return isAnyOf(path, writable); }))
        readOnly.insert(readOnly.end(), folders.begin(), folders.end());
    else
        add(properties, protection.property, std::string(protection.value));
}

void addWrites(Properties& properties, const Sandbox& sandbox) {
    std::set<fs::path> writable;
    for (const auto& path : sandbox.writable) writable.insert(leadsTo(path));
    auto readOnly = sandbox.readOnly;
    if (sandbox.strict)
        add(properties, "ProtectSystem", std::string("strict"));
    else
        addProtection(properties, ofSystem, writable, readOnly);
    if (sandbox.homesReadOnly) addProtection(properties, ofHomes, writable, readOnly);
    std::erase_if(readOnly, [&](const fs::path& path) { return isAnyOf(path, writable); });
    add(properties, "ReadWritePaths", optionalPaths(sandbox.writable));
    add(properties, "ReadOnlyPaths", optionalPaths(readOnly));
}

void hideSystemd(Properties& properties) {
    using Tmpfs = sdbus::Struct<std::string, std::string>;
    using Mount = sdbus::Struct<std::string, std::string, bool, std::uint64_t>;
    constexpr bool mayBeMissing = true;
    std::vector<Mount> kept;
    for (const char* path : harmlessOfSystemd) kept.emplace_back(path, path, mayBeMissing, std::uint64_t{MS_REC});
    add(properties, "TemporaryFileSystem", std::vector<Tmpfs>{Tmpfs("/run/systemd", "ro,mode=0755")});
    add(properties, "BindReadOnlyPaths", kept);
}

void addHidden(Properties& properties, const Sandbox& sandbox) {
    Strings hidden;
    if (!sandbox.startsUnits) {
        hideSystemd(properties);
        hidden.emplace_back("-/run/dbus");
    }
    if (!sandbox.sources.contains(SourceType::Docker)) {
        const auto engines = optionalPaths(engineSockets);
        hidden.insert(hidden.end(), engines.begin(), engines.end());
    }
    add(properties, "InaccessiblePaths", hidden);
}

} // namespace

void addSandbox(Properties& properties, const Sandbox& sandbox) {
    addWrites(properties, sandbox);
    addHidden(properties, sandbox);

    add(properties, "NoNewPrivileges", true);
    add(properties, "CapabilityBoundingSet", capabilities(sandbox));
    add(properties, "AmbientCapabilities", std::uint64_t{0});
    addSystemCalls(properties, sandbox);
    addDevices(properties, sandbox);
    Strings families{"AF_UNIX", "AF_INET", "AF_INET6"};
    if (needsZfs(sandbox)) families.emplace_back("AF_NETLINK");
    addList(properties, "RestrictAddressFamilies", true, families);

    for (const char* name :
         {"ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock",
          "ProtectHostname", "PrivateIPC", "LockPersonality", "MemoryDenyWriteExecute", "RestrictRealtime"}) {
        add(properties, name, true);
    }
    add(properties, "RestrictSUIDSGID", !sandbox.restoresFiles);
    forbidNamespaces(properties);
    add(properties, "ProtectProc", std::string("invisible"));
    if (!needsZfs(sandbox)) add(properties, "ProcSubset", std::string("pid")); // zfs reads /proc/spl
    add(properties, "PrivateMounts", true);
    add(properties, "KeyringMode", std::string("private"));
    add(properties, "UMask", std::uint32_t{0077});
    add(properties, "LimitCORE", std::uint64_t{0}); // a core of rclone would hold the remotes' secrets
}

} // namespace holdfast
