#include "run/retention.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

namespace {

/// The day, the ISO week, … that a time is in, by strftime(3).
std::string periodOf(USec time, const char* format) {
    const auto seconds = static_cast<std::time_t>(time / usecPerSec);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto length = std::strftime(text.data(), text.size(), format, &parts);
    return {text.data(), length};
}

class Judge {
  public:
    explicit Judge(const std::vector<Version>& versions) : versions_(versions), reasons_(versions.size()) {
        for (std::size_t i = 0; i < versions.size(); ++i) {
            if (versions[i].leftAlone.empty())
                own_.push_back(i);
            else
                reasons_[i].push_back(versions[i].leftAlone);
        }
    }

    void keepNewest() {
        if (!own_.empty()) keep(own_.front(), "newest");
    }

    void keepLast(std::uint32_t count) {
        for (std::size_t i = 0; i < own_.size() && i < count; ++i)
            keep(own_[i], fmt::format("one of the last {}", count));
    }

    /// Of each of the last `count` periods, its newest.
    void keepPeriods(std::uint32_t count, const char* name, const char* format) {
        std::set<std::string> seen;
        for (const auto i : own_) {
            const auto period = periodOf(versions_[i].startedAt, format);
            if (seen.contains(period)) continue;
            if (seen.size() == count) return;
            seen.insert(period);
            keep(i, fmt::format("{} {}", name, period));
        }
    }

    void keepNewestOf(const std::vector<std::string>& runs, const char* why) {
        const auto newest = std::find_if(own_.begin(), own_.end(), [&](std::size_t i) {
            return std::find(runs.begin(), runs.end(), versions_[i].run) != runs.end();
        });
        if (newest != own_.end()) keep(*newest, why);
    }

    /// What cannot be read now may be whole, and an increment. It builds on something older then, as its name tells.
    void keepBasesOfUnreadable() {
        for (const auto& unreadable : versions_) {
            if (!unreadable.unreadable) continue;
            for (const auto i : own_) {
                if (versions_[i].mayBeBase && versions_[i].name < unreadable.name)
                    keep(i, fmt::format("perhaps a base of {}, which cannot be read", unreadable.name));
            }
        }
    }

    /// A base is older than what builds on it, but clocks are set: so until nothing changes.
    void keepBases() {
        for (bool changed = true; changed;) {
            changed = false;
            for (std::size_t i = 0; i < versions_.size(); ++i) {
                if (!reasons_[i].empty() && !versions_[i].base.empty()) changed = keepBaseOf(versions_[i]) || changed;
            }
        }
    }

    [[nodiscard]] std::vector<Verdict> verdicts() const {
        std::vector<Verdict> verdicts;
        for (const auto& reasons : reasons_) {
            verdicts.push_back(
                {!reasons.empty(), reasons.empty() ? "no rule keeps it" : fmt::format("{}", fmt::join(reasons, ", "))});
        }
        return verdicts;
    }

  private:
    void keep(std::size_t i, std::string why) { reasons_[i].push_back(std::move(why)); }

    /// Whether that keeps one that would have gone.
    bool keepBaseOf(const Version& increment) {
        for (std::size_t i = 0; i < versions_.size(); ++i) {
            if (versions_[i].run != increment.base || !reasons_[i].empty()) continue;
            keep(i, fmt::format("base of {}", increment.run.substr(0, 8)));
            return true;
        }
        return false;
    }

    const std::vector<Version>& versions_;
    std::vector<std::vector<std::string>> reasons_; ///< why each stays; none: it goes
    std::vector<std::size_t> own_;                  ///< those that the rules are for
};

} // namespace

std::vector<Verdict> judge(const Keep& keep, const std::vector<Version>& versions,
                           const std::vector<std::string>& provenRuns, const std::string& justMade) {
    Judge judge(versions);
    judge.keepNewest();
    judge.keepNewestOf(provenRuns, "newest proven");
    judge.keepNewestOf({justMade}, "just made");
    judge.keepLast(keep.last);
    judge.keepPeriods(keep.daily, "daily", "%Y-%m-%d");
    judge.keepPeriods(keep.weekly, "weekly", "%G-W%V");
    judge.keepPeriods(keep.monthly, "monthly", "%Y-%m");
    judge.keepPeriods(keep.yearly, "yearly", "%Y");
    judge.keepBasesOfUnreadable();
    judge.keepBases();
    return judge.verdicts();
}

} // namespace holdfast
