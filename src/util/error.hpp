#pragma once

#include <exception>
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

/// What `failure`, a `std::exception`, says, fit to be stored, sent and shown (see harmlessLines()): it may quote
/// another program's words or a file's name, which are any bytes.
std::string sentenceOf(const std::exception_ptr& failure);

} // namespace holdfast
