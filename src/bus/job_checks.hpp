#pragma once

#include "bus/services.hpp"
#include "job/store.hpp"
#include "util/asio.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace holdfast {

/// Looks whether the stored jobs can do what they say on this machine: whoever writes a file into the folder is not
/// told by CreateJob. What is found wrong is looked at again from time to time, since a file system may be mounted
/// late.
class JobChecks {
  public:
    /// `changed` is called when something else is known to be wrong than before.
    JobChecks(asio::io_context& io, Services& services, std::function<void()> changed);

    /// Looks at every enabled job. Throws `Error` if they could not be looked at.
    awaitable<void> look();
    /// As look(), in the background; a failure is logged.
    void lookSoon();
    /// The job has just done what it says.
    void worked(const std::string& job);

    /// Of jobs as they are stored now.
    [[nodiscard]] std::vector<BrokenJob> found() const;

  private:
    struct Fault {
        std::size_t document = 0; ///< a hash of the job's text: of another one nothing is known
        std::string why;
        bool operator==(const Fault&) const = default;
    };
    using Names = std::vector<std::string>;

    [[nodiscard]] Names enabledJobs() const;
    awaitable<void> lookAt(Names jobs);
    [[nodiscard]] std::map<SourceType, Names> bySource(const Names& jobs) const;
    awaitable<void> lookAtAlike(Names jobs);
    awaitable<void> lookAtSome(Names jobs);
    void spawn(Names jobs);
    void take(const std::string& job, std::size_t document, const nlohmann::json& faults);
    void lookAgainLater();

    asio::io_context& io_;
    Services& services_;
    std::function<void()> changed_;
    std::map<std::string, Fault> faults_; ///< by job
    asio::steady_timer again_;
};

/// All that is known to keep the service or a job of it from what it is there for: file and why.
std::vector<BrokenJob> whatIsBroken(const Services& services, const JobChecks& checks);

} // namespace holdfast
