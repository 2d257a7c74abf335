#pragma once

#include <stdexcept>
#include <string>

namespace holdfast {

/// A failure that a person can act on: `what()` is a whole sentence that says what is wrong, where, and what to do.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Throws `std::system_error` for errno, with `what` ("open /etc/holdfast/holdfast.json") in front of its text.
[[noreturn]] void throwErrno(const std::string& what);

} // namespace holdfast
