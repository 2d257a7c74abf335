#pragma once

#include "bus/call.hpp"
#include "bus/services.hpp"
#include "bus/variant.hpp"
#include "bus/views.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

/// What callers may ask of runs: parse, authorize, act, reply.
class RunRequests {
  public:
    explicit RunRequests(Services& services) : services_(services) {}

    Reply<std::string, sdbus::ObjectPath> start(Caller caller, std::string job, VariantMap options);
    Reply<std::string, sdbus::ObjectPath> drill(Caller caller, std::string job, VariantMap options);
    Reply<std::vector<std::string>, std::vector<std::string>> stop(Caller caller, std::string job, VariantMap options);
    Reply<> cancel(Caller caller, std::string id, VariantMap options);
    Reply<VariantMap> find(Caller caller, std::string id, VariantMap options);
    Reply<std::vector<VariantMap>> list(Caller caller, std::uint32_t limit, std::uint32_t offset, VariantMap filter);

  private:
    awaitable<std::uint32_t> authorizeCancel(Caller caller, std::string id);
    [[nodiscard]] RunView get(const std::string& id) const;

    Services& services_;
};

} // namespace holdfast
