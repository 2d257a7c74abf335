#pragma once

#include "bus/call.hpp"
#include "bus/services.hpp"
#include "bus/variant.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

/// What callers may ask of the backups that lie at a remote, of jobs that are stored here or not.
class BackupRequests {
  public:
    explicit BackupRequests(Services& services) : services_(services) {}

    Reply<std::vector<VariantMap>> list(Caller caller, std::string remote, std::string path, VariantMap options);
    Reply<std::vector<std::string>> listFolders(Caller caller, std::string remote, std::string path,
                                                VariantMap options);
    Reply<std::string, sdbus::ObjectPath> restore(Caller caller, std::string remote, std::string path,
                                                  std::string backup, std::string target, VariantMap options);
    Reply<std::string, sdbus::ObjectPath> verify(Caller caller, std::string remote, std::string path,
                                                 std::string backup, VariantMap options);

  private:
    /// Where backups lie.
    struct Place {
        std::string remote;
        std::string path;
        [[nodiscard]] std::string text() const { return remote + ":" + path; }
        /// Short, and in quotes: it is the caller's own words, which shall not be taken for ours.
        [[nodiscard]] std::string quoted() const;
    };
    static Place parsePlace(std::string remote, std::string path);
    awaitable<std::uint32_t> authorize(Caller caller, const char* action, Place place, std::string message,
                                       Details more);
    awaitable<nlohmann::json> ask(Caller caller, Place place, const char* question, nlohmann::json request);
    awaitable<nlohmann::json> findBackup(Caller caller, Place place, std::string backup);
    std::tuple<std::string, sdbus::ObjectPath> enqueue(Task task, const nlohmann::json& backup, const Place& place,
                                                       std::uint32_t uid);

    Services& services_;
};

} // namespace holdfast
