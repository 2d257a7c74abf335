#pragma once

#include "job/job.hpp"
#include "util/error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace holdfast {

/// A file in the job folder that could not be loaded.
struct BrokenJob {
    std::string file; ///< its name, without the folder
    std::string why;  ///< every problem, in sentences
    bool operator==(const BrokenJob&) const = default;
};

/// The name of a job's file, without the folder.
std::string jobFileName(const std::string& job);

/// `CreateJob` of a name that is taken.
class JobExists : public Error {
    using Error::Error;
};
/// A name that no job has.
class NoSuchJob : public Error {
    using Error::Error;
};

/// The jobs of `/etc/holdfast/jobs`, one file each, held in memory. Files may also be written by hand or by
/// configuration management; reload() picks that up. A broken file is reported and keeps no other from loading.
class JobStore {
  public:
    explicit JobStore(std::filesystem::path folder);

    /// Reads the folder afresh. A folder that is not there is empty.
    void reload();

    [[nodiscard]] const std::map<std::string, Job>& jobs() const { return jobs_; }
    [[nodiscard]] const std::vector<BrokenJob>& broken() const { return broken_; }
    /// Throws `NoSuchJob`.
    [[nodiscard]] const Job& get(const std::string& name) const;

    /// Writes a new job: beside, synced, renamed. Throws `JobExists` (also if a broken file has that name), or
    /// `std::system_error` if it could not be written, and then nothing has changed.
    const Job& add(Job job);
    /// Replaces the job of the same name. Throws `NoSuchJob`, `std::system_error`.
    const Job& replace(Job job);
    /// Throws `NoSuchJob`, `std::system_error`.
    void remove(const std::string& name);

    /// The merged document (RFC 7396), parsed and checked whole. Throws `NoSuchJob`, `InvalidJob` (also for a patch
    /// that is not a JSON object or that changes the name).
    [[nodiscard]] Job merged(const std::string& name, const std::string& mergePatch) const;

  private:
    void write(const Job& job);

    std::filesystem::path folder_;
    std::map<std::string, Job> jobs_;
    std::vector<BrokenJob> broken_;
};

} // namespace holdfast
