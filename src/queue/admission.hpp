#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast {

struct AdmissionLimits {
    std::uint32_t streaming = 0; ///< at once
    std::uint32_t copies = 0;    ///< at once
    std::uint32_t waiting = 0;   ///< in the queue
};

/// Who may start when: first come, first served among those that may start at all. Pure bookkeeping.
/// A run holds a slot of its kind while it is active, and its job from then until it leaves.
class Admission {
  public:
    void setLimits(const AdmissionLimits& limits) { limits_ = limits; }

    /// For whom there must be room: a quarter of the queue is kept for root, whose timers start backups.
    enum class Room { Root, Others };
    /// Throws `AlreadyQueued` (a run of that job waits already), `QueueFull`.
    void checkRoom(const std::string& job, Room whose) const;
    /// A run takes its place at the end of the queue, whatever the limits say: what was accepted once stays accepted.
    void wait(const std::string& id, const std::string& job, bool streaming);
    /// A run that is found running holds its slot, whatever the limits say.
    void adopt(const std::string& id, const std::string& job, bool streaming);
    /// Makes those active that may start now; returns their ids, in order.
    std::vector<std::string> admit();
    /// An active run gives back its slot, but is not through with its job: it is being cleaned up.
    void giveBackSlot(const std::string& id);
    /// A run is over, or was taken out of the queue.
    void leave(const std::string& id);

    [[nodiscard]] std::size_t active() const { return active_.size(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// Who has waited longest of those that count; nobody if none of them waits.
    [[nodiscard]] std::optional<std::string>
    firstWaiting(const std::function<bool(const std::string& id)>& counts) const;

    /// For every run that waits, in order: what it waits for, in words. Exact places only near the front, so that a
    /// long queue is not told of every step.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> blockedOn() const;

  private:
    struct Entry {
        std::string id;
        std::string job;
        bool streaming = false;
        bool holdsSlot = false;
    };

    [[nodiscard]] std::uint32_t slots(bool streaming) const { return streaming ? limits_.streaming : limits_.copies; }
    [[nodiscard]] std::size_t slotsInUse(bool streaming) const;
    [[nodiscard]] bool jobIsActive(const std::string& job) const;
    [[nodiscard]] std::string reason(const Entry& entry) const;

    AdmissionLimits limits_;
    std::list<Entry> waiting_;
    std::map<std::string, Entry> active_;
};

} // namespace holdfast
