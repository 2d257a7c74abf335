#pragma once

#include <sys/types.h>

namespace holdfast::ctl {

/// polkit's text agent, which asks for a password on this terminal while it lives. Where it cannot run nobody is asked,
/// and the service says so.
class PasswordAgent {
  public:
    /// Returns when the agent is registered.
    PasswordAgent();
    ~PasswordAgent();
    PasswordAgent(const PasswordAgent&) = delete;
    PasswordAgent& operator=(const PasswordAgent&) = delete;

    /// Whether polkit could have somebody to ask: root is never asked.
    static bool isWanted();

  private:
    pid_t pid_ = -1;
};

} // namespace holdfast::ctl
