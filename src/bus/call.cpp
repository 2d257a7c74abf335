#include "bus/call.hpp"

#include "util/log.hpp"

#include <fmt/format.h>

namespace holdfast {

void logUnsendable(const std::string& method, const std::exception& why) {
    logError(fmt::format("The reply to {} could not be sent: {}", method, why.what()));
}

} // namespace holdfast
