#pragma once

#include "bus/call.hpp"
#include "bus/callers.hpp"
#include "bus/open_questions.hpp"
#include "util/asio.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace holdfast {

/// The actions of polkit/org.holdfast1.policy.
namespace action {
constexpr auto runJob = "org.holdfast1.run-job";
constexpr auto manageJobs = "org.holdfast1.manage-jobs";
constexpr auto manageScriptJobs = "org.holdfast1.manage-script-jobs";
constexpr auto readConfig = "org.holdfast1.read-config";
constexpr auto cancelRun = "org.holdfast1.cancel-run";
constexpr auto cancelOtherRun = "org.holdfast1.cancel-other-run";
constexpr auto manageRemotes = "org.holdfast1.manage-remotes";
constexpr auto restore = "org.holdfast1.restore";
constexpr auto listBackups = "org.holdfast1.list-backups"; // the policy grants these two to whom restore is granted
constexpr auto verify = "org.holdfast1.verify";
} // namespace action

/// What polkit's rules may decide on, and its prompt may show: of a job "job", "source", "sourceType", "destination";
/// of a run "run"; of backups "destination", "backup", "job", "deep"; of a restore also "target", "force", "paths",
/// "volumes", "intoVolumes", "engineSocket". "polkit.message" is what the prompt says in place of the action's own
/// words.
using Details = std::map<std::string, std::string>;

/// A caller's own words in a prompt: short, in quotes, and nothing that reorders what is shown, so that they are not
/// taken for ours.
std::string quotedForPrompt(const std::string& text);

/// Asks polkit (org.freedesktop.PolicyKit1.Authority) who may do what. Root may do everything, and needs no polkit.
class Polkit {
  public:
    /// Both must outlive it.
    Polkit(sdbus::IConnection& connection, const Callers& callers);
    ~Polkit();

    /// Who the caller is. Throws `AccessDenied` if it has left the bus.
    [[nodiscard]] std::uint32_t uidOf(const Caller& caller) const;

    /// Returns the caller's uid if it may; prompts (at most 5 minutes) if the caller allows that. Throws
    /// `AccessDenied`, `InteractionRequired`, `LimitsExceeded`. Time passes: what was checked before must be checked
    /// again.
    awaitable<std::uint32_t> authorize(Caller caller, std::string action, Details details);

    /// Whether the caller may without being prompted. Throws `LimitsExceeded`.
    awaitable<bool> allowsUnasked(Caller caller, std::string action, Details details);

  private:
    struct Answer;
    awaitable<Answer> check(Caller caller, std::string action, Details details);
    awaitable<Answer> ask(Caller caller, std::uint32_t uid, std::string action, Details details);
    void withdraw(const std::string& question);

    const Callers& callers_;
    std::unique_ptr<sdbus::IProxy> authority_;
    OpenQuestions questions_;
    std::uint64_t lastQuestion_ = 0;
};

} // namespace holdfast
