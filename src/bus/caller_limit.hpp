#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace holdfast {

/// Bounds what callers make us hold at one time: so much for each of them, so much for all.
class CallerLimit {
  public:
    /// `what` goes into the error: "authorizations that wait".
    CallerLimit(std::size_t each, std::size_t all, std::string what);

    /// Held while the thing is; gives the place back when it goes. May outlive the limit.
    using Ticket = std::shared_ptr<void>;
    /// Throws `LimitsExceeded`.
    [[nodiscard]] Ticket take(const std::string& caller);

  private:
    struct Counts {
        std::map<std::string, std::size_t> each;
        std::size_t all = 0;
    };

    std::size_t each_;
    std::size_t all_;
    std::string what_;
    std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

} // namespace holdfast
