#pragma once

#include "job/job.hpp"
#include "util/time.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// A backup at a destination, as far as it matters for whether it stays.
struct Version {
    std::string name; ///< of its manifest
    std::string run;  ///< that made it; empty if that cannot be read
    USec startedAt = 0;
    std::string base{};      ///< the run that it builds on; empty: none
    bool mayBeBase = false;  ///< others can build on it
    bool unreadable = false; ///< the job's own, by its name; it may build on any that is older
    /// Why it is left alone, whatever the rules say, and does not count for them: it is another machine's, say. Empty:
    /// it is the job's own and can be restored.
    std::string leftAlone{};
};

/// What becomes of a version.
struct Verdict {
    bool stays = false;
    std::string why; ///< "one of the last 7, daily 2026-11-20"; "no rule keeps it"
};

/// Which of a folder's backups stay, in the order of `versions`, which is newest first, those without a run last.
/// Beside what the rules keep, there stay: the newest; the newest of `provenRuns`; that of the run `justMade`, which
/// is not the newest where a clock was set back; and what any that stays builds on,
/// or may build on as far as it cannot be read. Pure.
std::vector<Verdict> judge(const Keep& keep, const std::vector<Version>& versions,
                           const std::vector<std::string>& provenRuns, const std::string& justMade = {});

} // namespace holdfast
