#include "bus/caller_limit.hpp"

#include "bus/errors.hpp"

#include <utility>

#include <fmt/format.h>

namespace holdfast {

CallerLimit::CallerLimit(std::size_t each, std::size_t all, std::string what)
    : each_(each), all_(all), what_(std::move(what)) {}

CallerLimit::Ticket CallerLimit::take(const std::string& caller) {
    const auto found = counts_->each.find(caller);
    const std::size_t has = found == counts_->each.end() ? 0 : found->second;
    if (has >= each_ || counts_->all >= all_) {
        throw LimitsExceeded(fmt::format("Too many {} at one time; try again when some have ended.", what_));
    }
    ++counts_->each[caller];
    ++counts_->all;
    return {nullptr, [counts = counts_, caller](void*) {
                --counts->all;
                const auto entry = counts->each.find(caller);
                if (--entry->second == 0) counts->each.erase(entry);
            }};
}

} // namespace holdfast
