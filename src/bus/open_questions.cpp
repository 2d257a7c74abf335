#include "bus/open_questions.hpp"

#include "bus/errors.hpp"

#include <algorithm>
#include <utility>

namespace holdfast {

std::size_t OpenQuestions::countOf(std::uint32_t uid) const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.uid == uid; }));
}

std::optional<std::string> OpenQuestions::open(std::string question, std::uint32_t uid) {
    if (countOf(uid) >= each_) {
        throw LimitsExceeded("Too many authorizations of this user are waiting for an answer; answer those first.");
    }
    std::optional<std::string> givesWay;
    if (entries_.size() >= all_) {
        // Of those with as many, the first found has the oldest.
        const auto most = std::max_element(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
            return countOf(a.uid) < countOf(b.uid);
        });
        givesWay = std::move(most->question);
        entries_.erase(most);
    }
    entries_.push_back({std::move(question), uid});
    return givesWay;
}

bool OpenQuestions::close(const std::string& question) {
    return std::erase_if(entries_, [&](const Entry& entry) { return entry.question == question; }) > 0;
}

} // namespace holdfast
