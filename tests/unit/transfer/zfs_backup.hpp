#pragma once

#include "transfer/backups.hpp"

#include <string>

namespace holdfast {

constexpr USec today = 1'800'000'000 * usecPerSec; // in 2027

inline std::string idOf(char digit) { return std::string(32, digit); }

inline std::string nameOf(const Manifest& m) { return m.objects.front().name + manifestSuffix; }

/// A ZFS stream of the run 111…, upon the one of the run `base`.
inline Manifest stream(char run, char base = 0) {
    Manifest m;
    m.run = idOf(run);
    m.job = "nightly";
    m.machine.host = "box";
    m.source = "zfs";
    m.startedAt = static_cast<USec>(run);
    m.stream = Manifest::Stream{"zfs-send", "none", 1, "aa"};
    m.objects = {{"nightly-20261123T030000Z-" + m.run.substr(0, 8) + ".zfs", 1, "aa"}};
    m.sourceFields = {{"dataset", "tank"}, {"snapshot", "s"}, {"guid", std::string(1, run)}, {"baseGuid", ""}};
    if (base == 0) return m;
    m.sourceFields["baseGuid"] = std::string(1, base);
    m.sourceFields["baseRun"] = idOf(base);
    return m;
}

inline StoredBackup stored(const Manifest& m) { return readBackup(nameOf(m), serialize(m)); }

} // namespace holdfast
