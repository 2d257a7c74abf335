#pragma once

#include "run/paths.hpp"
#include "unit/systemd.hpp"
#include "util/asio.hpp"

#include <cstddef>

#include <nlohmann/json.hpp>

namespace holdfast {

/// Questions that the daemon may not answer itself, since it runs no programs: `holdfast-run --probe <id>` in a
/// short-lived, sandboxed unit reads `request.json` and writes `answer.json` in a folder of their own.
///
/// Requests: {"ask":"job","job":{…},"rcloneConfig":…} → {"problems":[…]}; {"ask":"jobs","jobs":[…],"rcloneConfig":…} →
/// {"faults":{name: [sentence…]}}; {"ask":"remotes","rcloneConfig":…} →
/// {"remotes":[[name, type]…]}; {"ask":"remote","remote":…,"path":…,"write":true,"rcloneConfig":…} → what CheckRemote
/// tells; {"ask":"backups","remote":…,"path":…,"rcloneConfig":…} → what ListBackups tells; {"ask":"backupFolders", as
/// before} → {"folders":[path…]}; {"ask":"schedule",
/// "onCalendar":[…]}.
class Prober {
  public:
    /// How many questions may be open at once: each is a process that anyone who may ask can cause.
    static constexpr std::size_t maxOpen = 5;

    /// Both must outlive it.
    Prober(const Paths& paths, Systemd& systemd) : paths_(paths), systemd_(systemd) {}

    /// Asks and waits for the answer, at most 90 seconds. Throws `Error`: too many are open, no answer, or the answer
    /// is
    /// {"error": a sentence}.
    awaitable<nlohmann::json> ask(nlohmann::json request);

  private:
    awaitable<void> runUnit(std::string id, const nlohmann::json& request);
    [[nodiscard]] nlohmann::json readAnswer(const std::string& id) const;

    const Paths& paths_;
    Systemd& systemd_;
    std::size_t open_ = 0;
};

} // namespace holdfast
