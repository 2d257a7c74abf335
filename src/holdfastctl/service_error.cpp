#include "holdfastctl/service_error.hpp"

#include "holdfastctl/exit_status.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

struct Row {
    std::string_view name; ///< ends in '*': all names that begin so
    int exitStatus;
    const char* sentence; ///< "{}" is what the service said; it comes first and is a sentence where it is our own
};

constexpr auto noService = "Holdfast's service is not installed on this machine: the bus does not know org.holdfast1. "
                           "Install the package, or see 'systemctl status holdfast.service'. ({})";
constexpr auto notStarted =
    "Holdfast's service did not start: {}\n'systemctl status holdfast.service' and 'journalctl -u holdfast' say why.";
constexpr auto noAnswer = "Holdfast's service did not answer: {}\n'systemctl status holdfast.service' shows how it is.";
constexpr auto otherVersion =
    "Holdfast's service does not know this request, so it is of another version than this command: {}\n"
    "'holdfastctl status --json' shows the service's version.";

constexpr std::array table = {
    Row{"org.holdfast1.Error.NoSuchJob", exitWith::failed, "{}\n'holdfastctl job list' shows the jobs."},
    Row{"org.holdfast1.Error.NoSuchRun", exitWith::failed, "{}\n'holdfastctl runs' shows the runs."},
    Row{"org.holdfast1.Error.NoSuchRemote", exitWith::failed, "{}\n'holdfastctl remote list' shows the remotes."},
    Row{"org.holdfast1.Error.*", exitWith::failed, "{}"},
    Row{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", exitWith::notAuthorized,
        "This needs authorization: {}\nRun it on a terminal without --no-ask-password, or as root, or have a polkit "
        "rule allow it."},
    Row{"org.freedesktop.DBus.Error.AccessDenied", exitWith::notAuthorized, "You may not do this: {}"},
    Row{"org.freedesktop.DBus.Error.ServiceUnknown", exitWith::unreachable, noService},
    Row{"org.freedesktop.DBus.Error.NameHasNoOwner", exitWith::unreachable, noService},
    Row{"org.freedesktop.DBus.Error.Spawn.*", exitWith::unreachable, notStarted},
    Row{"org.freedesktop.systemd1.*", exitWith::unreachable, notStarted},
    Row{"org.freedesktop.DBus.Error.NoReply", exitWith::unreachable, noAnswer},
    Row{"org.freedesktop.DBus.Error.Timeout", exitWith::unreachable, noAnswer},
    Row{"org.freedesktop.DBus.Error.TimedOut", exitWith::unreachable, noAnswer},
    Row{"org.freedesktop.DBus.Error.Disconnected", exitWith::unreachable, noAnswer},
    Row{"System.Error.*", exitWith::unreachable, noAnswer},
    Row{"org.freedesktop.DBus.Error.Unknown*", exitWith::failed, otherVersion},
    Row{"org.freedesktop.DBus.Error.LimitsExceeded", exitWith::failed, "Too much at once: {}"},
    Row{"*", exitWith::failed, "{}"},
};

bool matches(std::string_view pattern, std::string_view name) {
    if (!pattern.ends_with('*')) return name == pattern;
    return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

/// The lines "pointer: message" of an InvalidConfig.
std::vector<Problem> problemsIn(std::string_view message) {
    std::vector<Problem> problems;
    while (!message.empty()) {
        const auto line = message.substr(0, message.find('\n'));
        message.remove_prefix(std::min(message.size(), line.size() + 1));
        if (line.empty()) continue;
        const auto colon = line.starts_with('/') || line.starts_with(':') ? line.find(": ") : std::string_view::npos;
        if (colon == std::string_view::npos)
            problems.push_back({"", "", std::string(line)});
        else
            problems.push_back({std::string(line.substr(0, colon)), "", std::string(line.substr(colon + 2))});
    }
    return problems;
}

} // namespace

ServiceError describe(const sdbus::Error& error) {
    const std::string& name = error.getName();
    const std::string said = error.getMessage().empty() ? name : error.getMessage();
    if (name == errorName::invalidConfig) {
        return {name, "The job is not valid.", exitWith::failed, problemsIn(said)};
    }
    const auto& row = *std::find_if(table.begin(), table.end(), [&](const Row& r) { return matches(r.name, name); });
    return {name, fmt::format(fmt::runtime(row.sentence), said), row.exitStatus};
}

} // namespace holdfast::ctl
