#pragma once

#include "util/error.hpp"

#include <string>
#include <vector>

#include <sdbus-c++/Error.h>

namespace holdfast::ctl {

/// One thing that is wrong with a job document.
struct Problem {
    std::string pointer; ///< JSON pointer to the field; empty: the document
    std::string code;    ///< empty where the service gave none
    std::string message;
};

/// What the service refused or could not do, in words for a person.
class ServiceError : public Error {
  public:
    ServiceError(std::string name, const std::string& message, int exitStatus, std::vector<Problem> problems = {})
        : Error(message), name_(std::move(name)), exitStatus_(exitStatus), problems_(std::move(problems)) {}

    /// The error's name on the bus.
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] int exitStatus() const { return exitStatus_; }
    /// Of an invalid job.
    [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

  private:
    std::string name_;
    int exitStatus_;
    std::vector<Problem> problems_;
};

/// The one table from names on the bus to sentences and exit statuses.
ServiceError describe(const sdbus::Error& error);

namespace errorName {
constexpr auto invalidConfig = "org.holdfast1.Error.InvalidConfig";
constexpr auto noSuchRun = "org.holdfast1.Error.NoSuchRun";
} // namespace errorName

} // namespace holdfast::ctl
