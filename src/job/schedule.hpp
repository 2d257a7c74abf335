#pragma once

#include <string>
#include <vector>

namespace holdfast {

/// The `OnCalendar=` expressions of a job's schedule: none for an empty one; the text itself if it is in systemd's
/// form; one or two for a five-field cron line (two where both day fields are restricted, since cron then means *or*).
/// Times are local, as with cron. Throws `Error` for what is neither; systemd's form is only checked for its
/// characters here, since systemd itself is the judge of that (`systemd-analyze calendar`).
std::vector<std::string> toOnCalendar(const std::string& schedule);

} // namespace holdfast
