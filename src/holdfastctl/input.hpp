#pragma once

#include <string>

namespace holdfast::ctl {

/// The job document in `file`, "-" being standard input. Throws `Error` if it cannot be read or is larger than a job
/// may be.
std::string readDocument(const std::string& file);

/// Asks on the terminal; anything but a word for yes or no, and the end of input, is `otherwise`.
bool confirm(const std::string& question, bool otherwise);

} // namespace holdfast::ctl
