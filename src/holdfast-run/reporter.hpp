#pragma once

#include "run/paths.hpp"
#include "run/progress.hpp"
#include "run/state.hpp"
#include "util/asio.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <string>

namespace holdfast {

/// Tells the world where the run stands: state.json for the daemon, STATUS= for `systemctl status`. At once when state
/// or phase change, else at most every 500 ms. A run that cannot tell says so once in the journal, and goes on.
class Reporter {
  public:
    Reporter(const Paths& paths, std::string id, std::uint32_t maxAttempts);

    void phase(const std::string& phase);
    /// From here on bytes move; `phase` is what that is called.
    void beginAttempt(std::uint32_t attempt, std::uint64_t total, bool estimated,
                      const std::string& phase = "uploading");
    /// The whole stream has been read.
    void streamEnded();
    void metadata(const nlohmann::json& more);

    Progress& progress() { return progress_; }
    [[nodiscard]] const RunState& state() const { return state_; }

    /// Keeps reporting until cancelled. Warns once, in the journal too, when no byte has moved for `stallWarning`.
    awaitable<void> follow(USec stallWarning);

  private:
    void takeProgress(USec stallWarning);
    void write();

    const Paths& paths_;
    std::string id_;
    std::uint32_t maxAttempts_;
    RunState state_;
    Progress progress_;
    std::string moving_; ///< the phase in which bytes move
    std::string written_;
};

} // namespace holdfast
