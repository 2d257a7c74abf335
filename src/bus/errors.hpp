#pragma once

#include "util/error.hpp"

#include <exception>
#include <string>

#include <sdbus-c++/Error.h>

namespace holdfast {

/// The bus's own kinds of failure; those of other folders are in their headers.
class InvalidArgs : public Error {
    using Error::Error;
};
class AccessDenied : public Error {
    using Error::Error;
};
/// A prompt could let the caller in, but the caller did not allow one or nobody was there to show it.
class InteractionRequired : public Error {
    using Error::Error;
};
class LimitsExceeded : public Error {
    using Error::Error;
};
class NoSuchRemote : public Error {
    using Error::Error;
};
class NoSuchBackup : public Error {
    using Error::Error;
};
class JobDisabled : public Error {
    using Error::Error;
};

struct BusError {
    std::string name;
    std::string message;
    bool ours = false; ///< the caller could not have avoided it: to be logged
};

/// The one table from our exceptions to names on the bus.
BusError describeError(const std::exception_ptr& failure);

/// What the caller is told; logs the failures that are ours. `what` names the method.
sdbus::Error busError(const std::exception_ptr& failure, const std::string& what);

} // namespace holdfast
