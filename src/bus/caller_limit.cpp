#include "bus/caller_limit.hpp"

#include "bus/errors.hpp"

#include <utility>

#include <fmt/format.h>

namespace holdfast {

CallerLimit::CallerLimit(std::size_t each, std::size_t all, std::size_t forRoot, std::string what)
    : each_(each), all_(all), forRoot_(forRoot), what_(std::move(what)) {}

CallerLimit::Ticket CallerLimit::take(std::uint32_t uid) {
    const auto found = counts_->each.find(uid);
    const std::size_t has = found == counts_->each.end() ? 0 : found->second;
    const bool room = uid == 0 ? counts_->all < all_ : has < each_ && counts_->all + forRoot_ < all_;
    if (!room) throw LimitsExceeded(fmt::format("Too many {} at one time; try again when some have ended.", what_));
    ++counts_->each[uid];
    ++counts_->all;
    return {nullptr, [counts = counts_, uid](void*) {
                --counts->all;
                const auto entry = counts->each.find(uid);
                if (--entry->second == 0) counts->each.erase(entry);
            }};
}

} // namespace holdfast
