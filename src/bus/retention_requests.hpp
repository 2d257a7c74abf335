#pragma once

#include "bus/call.hpp"
#include "bus/services.hpp"
#include "bus/variant.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

/// What callers may ask about backups that go. Pruning takes `run-job`: it removes nothing that the job's next run
/// would not. What lies at a remote without being a backup is looked at and removed with `manage-jobs`.
class RetentionRequests {
  public:
    explicit RetentionRequests(Services& services) : services_(services) {}

    Reply<std::vector<VariantMap>> previewPrune(Caller caller, std::string job, VariantMap options);
    Reply<std::string, sdbus::ObjectPath> prune(Caller caller, std::string job, VariantMap options);
    Reply<std::vector<VariantMap>> findOrphans(Caller caller, std::string remote, std::string path, VariantMap options);
    Reply<std::string, sdbus::ObjectPath> removeOrphans(Caller caller, std::string remote, std::string path,
                                                        VariantMap options);

  private:
    struct Authorized {
        Job job;
        std::uint32_t uid = 0;
    };
    struct Search {
        std::string remote;
        std::string path;
        bool anyRun = false;
        USec begun = 0;
    };
    awaitable<Authorized> authorizePruning(Caller caller, std::string job);
    Search parseSearch(std::string remote, std::string path, VariantMap options) const;
    awaitable<std::uint32_t> authorizeSearch(Caller caller, Search search);
    awaitable<nlohmann::json> ask(Caller caller, nlohmann::json request);
    awaitable<nlohmann::json> orphans(Caller caller, Search search);
    [[nodiscard]] std::string runThatLeft(const nlohmann::json& orphan) const;
    [[nodiscard]] bool isUnsettled(const std::string& idPart) const;
    [[nodiscard]] USec longestRun(const std::string& job) const;

    Services& services_;
};

} // namespace holdfast
