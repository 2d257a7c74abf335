#pragma once

#include "bus/call.hpp"
#include "bus/job_checks.hpp"
#include "bus/services.hpp"
#include "bus/variant.hpp"

#include <functional>
#include <string>
#include <vector>

namespace holdfast {

/// What callers may ask of the stored jobs: parse, authorize, act, reply.
class JobRequests {
  public:
    using ProblemRow = sdbus::Struct<std::string, std::string, std::string>;
    using JobRow = sdbus::Struct<std::string, sdbus::ObjectPath>;

    /// `changed` is called after the store or the settings have changed.
    JobRequests(Services& services, JobChecks& checks, std::function<void()> changed);

    Reply<sdbus::ObjectPath> create(Caller caller, std::string config, VariantMap options);
    Reply<std::vector<ProblemRow>> validate(Caller caller, std::string config, VariantMap options);
    Reply<sdbus::ObjectPath> find(std::string name, VariantMap options);
    Reply<std::vector<JobRow>> list(VariantMap options);
    Reply<std::string> config(Caller caller, std::string name, VariantMap options);
    Reply<> update(Caller caller, std::string name, std::string mergePatch, VariantMap options);
    Reply<> remove(Caller caller, std::string name, VariantMap options);
    Reply<> reload(Caller caller, VariantMap options);

    /// Reads settings and jobs again, for whoever needs not ask (SIGHUP). Throws `Error` if the settings
    /// are broken: then those in force stay.
    void reloadNow();

  private:
    awaitable<std::uint32_t> authorizeManaging(Caller caller, Job job, bool script);
    awaitable<std::vector<Problem>> liveProblems(Caller caller, Job job);
    awaitable<void> takeEffect();
    void reloadSettings();
    awaitable<void> requireLive(Caller caller, Job job);

    Services& services_;
    JobChecks& checks_;
    std::function<void()> changed_;
};

/// Throws `Error` unless the job is as it was when the caller was authorized for it.
void requireUnchanged(const JobStore& jobs, const Job& authorized);

/// The files that Reload could not load, each in the journal.
void logBrokenJobs(const JobStore& jobs);

} // namespace holdfast
