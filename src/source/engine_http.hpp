#pragma once

#include "util/asio.hpp"
#include "util/error.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace holdfast {

/// Nobody answers on the engine's socket, or the engine went away in the middle of an answer. It may be back soon.
class EngineAway : public Error {
    using Error::Error;
};

struct EngineRequest {
    bool post = false;  ///< else a GET; neither has a body
    std::string target; ///< path and query, encoded
};

struct EngineAnswer {
    unsigned status = 0;
    std::string body;
};

/// One request over a connection of its own. Throws `EngineAway`; after `limit` `TimedOut`; `Error` for what is not an
/// answer. The answer's status is the caller's business.
awaitable<EngineAnswer> askEngine(std::filesystem::path socket, EngineRequest request, std::chrono::microseconds limit);

} // namespace holdfast
