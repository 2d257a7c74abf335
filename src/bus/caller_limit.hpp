#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace holdfast {

/// Bounds what callers make us hold at one time: so much for each user, who can have any number of connections, and so
/// much for all. Root has room of its own.
class CallerLimit {
  public:
    /// `forRoot` of `all` are kept for root, who is bound by `all` alone. `what` goes into the error: "checks".
    CallerLimit(std::size_t each, std::size_t all, std::size_t forRoot, std::string what);

    /// Held while the thing is; gives the place back when it goes. May outlive the limit.
    using Ticket = std::shared_ptr<void>;
    /// Throws `LimitsExceeded`.
    [[nodiscard]] Ticket take(std::uint32_t uid);

  private:
    struct Counts {
        std::map<std::uint32_t, std::size_t> each;
        std::size_t all = 0;
    };

    std::size_t each_;
    std::size_t all_;
    std::size_t forRoot_;
    std::string what_;
    std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

} // namespace holdfast
