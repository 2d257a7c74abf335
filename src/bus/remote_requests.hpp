#pragma once

#include "bus/call.hpp"
#include "bus/services.hpp"
#include "bus/variant.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// What callers may ask of the remotes in rclone's configuration. Both start a probe, so both need `manage-remotes`.
class RemoteRequests {
  public:
    using RemoteRow = sdbus::Struct<std::string, std::string>;

    explicit RemoteRequests(Services& services) : services_(services) {}

    Reply<std::vector<RemoteRow>> list(Caller caller, VariantMap options);
    Reply<VariantMap> check(Caller caller, std::string name, VariantMap options);

  private:
    awaitable<std::vector<RemoteRow>> remotes();

    Services& services_;
};

/// Throw `InvalidArgs`: what cannot be the name of a remote; a path that is not below one (the rule for a job's
/// destinationPath).
void requireRemoteName(const std::string& name);
void requireBelowRemote(const std::string& path);

/// A probe's answer as CheckRemote gives it: every key is there, unknown sizes are 0.
VariantMap remoteReport(const nlohmann::json& answer);

} // namespace holdfast
