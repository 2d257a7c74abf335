#include "queue/admission.hpp"

#include "queue/errors.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr std::size_t exactPlaces = 20;

/// "1st", "2nd", "11th", "21st".
std::string ordinal(std::size_t number) {
    const std::size_t tens = number % 100;
    const char* suffix = "th";
    if (tens < 11 || tens > 13) {
        if (number % 10 == 1)
            suffix = "st";
        else if (number % 10 == 2)
            suffix = "nd";
        else if (number % 10 == 3)
            suffix = "rd";
    }
    return fmt::format("{}{}", number, suffix);
}

std::string placeInQueue(std::size_t place) {
    if (place > exactPlaces) return fmt::format("at least {} others ahead in the queue", exactPlaces);
    return ordinal(place) + " in the queue";
}

} // namespace

void Admission::checkRoom(const std::string& job, Room whose) const {
    const bool queued = std::any_of(waiting_.begin(), waiting_.end(), [&](const Entry& e) { return e.job == job; });
    if (queued) throw AlreadyQueued(fmt::format("A run of job \"{}\" is waiting in the queue already.", job));
    const std::size_t kept = whose == Room::Root ? 0 : limits_.waiting / 4;
    if (waiting_.size() + kept >= limits_.waiting) {
        throw QueueFull(fmt::format("The queue is full ({} runs are waiting); try again later.", waiting_.size()));
    }
}

void Admission::wait(const std::string& id, const std::string& job, bool streaming) {
    waiting_.push_back({id, job, streaming, false});
}

void Admission::adopt(const std::string& id, const std::string& job, bool streaming) {
    active_.emplace(id, Entry{id, job, streaming, true});
}

std::vector<std::string> Admission::admit() {
    std::vector<std::string> admitted;
    for (auto entry = waiting_.begin(); entry != waiting_.end();) {
        if (slotsInUse(entry->streaming) >= slots(entry->streaming) || jobIsActive(entry->job)) {
            ++entry;
            continue;
        }
        admitted.push_back(entry->id);
        entry->holdsSlot = true;
        active_.emplace(entry->id, std::move(*entry));
        entry = waiting_.erase(entry);
    }
    return admitted;
}

void Admission::giveBackSlot(const std::string& id) {
    if (const auto entry = active_.find(id); entry != active_.end()) entry->second.holdsSlot = false;
}

void Admission::leave(const std::string& id) {
    std::erase_if(waiting_, [&](const Entry& entry) { return entry.id == id; });
    active_.erase(id);
}

std::optional<std::string> Admission::firstWaiting(const std::function<bool(const std::string& id)>& counts) const {
    const auto first = std::find_if(waiting_.begin(), waiting_.end(), [&](const Entry& e) { return counts(e.id); });
    if (first == waiting_.end()) return std::nullopt;
    return first->id;
}

std::vector<std::pair<std::string, std::string>> Admission::blockedOn() const {
    std::vector<std::pair<std::string, std::string>> result;
    result.reserve(waiting_.size());
    for (const Entry& entry : waiting_) {
        result.emplace_back(entry.id, fmt::format("{}; {}", placeInQueue(result.size() + 1), reason(entry)));
    }
    return result;
}

std::string Admission::reason(const Entry& entry) const {
    if (jobIsActive(entry.job)) return "waiting for the run of the same job to finish";
    const std::size_t used = slotsInUse(entry.streaming);
    const std::uint32_t all = slots(entry.streaming);
    if (used < all) return "about to start";
    return fmt::format("waiting for a free {} slot ({} of {} in use)", entry.streaming ? "stream" : "copy", used, all);
}

std::size_t Admission::slotsInUse(bool streaming) const {
    return static_cast<std::size_t>(std::count_if(active_.begin(), active_.end(), [&](const auto& item) {
        return item.second.holdsSlot && item.second.streaming == streaming;
    }));
}

bool Admission::jobIsActive(const std::string& job) const {
    return std::any_of(active_.begin(), active_.end(), [&](const auto& item) { return item.second.job == job; });
}

} // namespace holdfast
