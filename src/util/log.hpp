#pragma once

#include <string>
#include <string_view>

namespace holdfast {

/// Levels of syslog(3) that we use; journald reads the "<N>" prefix (sd-daemon(3)).
enum class LogLevel { Alert = 1, Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7 };

/// One line to standard error, which is the journal in a unit. An error is logged once, where it is handled.
/// Line breaks in `text` become " | ", so that nobody forges a line.
void log(LogLevel level, std::string_view text);

/// For what somebody must look at now.
inline void logAlert(std::string_view text) { log(LogLevel::Alert, text); }
inline void logError(std::string_view text) { log(LogLevel::Error, text); }
inline void logWarning(std::string_view text) { log(LogLevel::Warning, text); }
inline void logNotice(std::string_view text) { log(LogLevel::Notice, text); }
inline void logInfo(std::string_view text) { log(LogLevel::Info, text); }

} // namespace holdfast
