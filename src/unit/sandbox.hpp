#pragma once

#include "job/job.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <sdbus-c++/Types.h>

namespace holdfast {

/// What a unit of ours may do, beyond what every one of them may. Only what is listed here differs between units.
struct Sandbox {
    /// Nothing may be written but what is `writable`, and homes. Else everything but the system's own folders: /usr,
    /// /boot, /efi and /etc.
    bool strict = false;
    bool homesReadOnly = false;   ///< /home, /root and /run/user
    std::set<SourceType> sources; ///< whose tools must work in it
    bool startsUnits = false;     ///< reaches systemd, and with it whatever root may
    bool keepsOwners = false;     ///< gives files that it makes to whom they belonged
    bool restoresFiles = false;   ///< with the modes that they had, setuid among them
    bool makesDevices = false;    ///< device files, though it may open none
    std::vector<std::filesystem::path> writable;
    std::vector<std::filesystem::path> readOnly; ///< where a path is in both lists, it is writable
};

/// Adds the sandbox as properties of systemd.exec(5), in the types of org.freedesktop.systemd1(5).
void addSandbox(std::vector<sdbus::Struct<std::string, sdbus::Variant>>& properties, const Sandbox& sandbox);

} // namespace holdfast
