#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <systemd/sd-bus.h>

namespace holdfast {

/// A method call that waits for its turn.
struct WaitingCall {
    std::string sender; ///< unique name on the bus
    std::size_t size = 0;
    std::shared_ptr<sd_bus_message> message;
};

/// Whose call is answered next: root's own first, then one of each user in turn. So nobody's calls are in the way of
/// another user's, however many there are. Pure bookkeeping.
class CallTurns {
  public:
    /// What may wait of one user, and of all; of root whatever comes.
    struct Limits {
        std::size_t calls;
        std::size_t bytes;
    };
    CallTurns(Limits each, Limits all) : each_(each), all_(all) {}

    /// False if it may not wait, because too many or too large ones wait already.
    [[nodiscard]] bool wait(std::uint32_t uid, WaitingCall call);

    struct Turn {
        std::uint32_t uid = 0;
        WaitingCall call;
    };
    /// Takes out the one whose turn it is.
    std::optional<Turn> next();
    [[nodiscard]] bool rootWaits() const { return lanes_.contains(0); }
    [[nodiscard]] bool empty() const { return lanes_.empty(); }
    /// The calls of one who has left.
    void drop(const std::string& sender);

  private:
    struct Lane {
        std::deque<WaitingCall> calls;
        std::size_t bytes = 0;
    };

    Limits each_;
    Limits all_;
    std::map<std::uint32_t, Lane> lanes_; ///< by user; none is empty
    std::list<std::uint32_t> order_;      ///< of all users but root
    Limits waiting_{0, 0};                ///< of all users but root
};

} // namespace holdfast
