#include "bus/options.hpp"

#include "bus/errors.hpp"

#include <fmt/format.h>

namespace holdfast {

template<typename Value>
std::optional<Value> Options::take(const std::string& name, const char* typeName) {
    const auto node = options_.extract(name);
    if (node.empty()) return std::nullopt;
    if (!node.mapped().template containsValueOfType<Value>()) {
        throw InvalidArgs(fmt::format("Option \"{}\" must be of D-Bus type {}.", name, typeName));
    }
    return node.mapped().template get<Value>();
}

std::optional<std::string> Options::text(const std::string& name, std::size_t limit) {
    auto value = take<std::string>(name, "s");
    if (value && value->size() > limit) {
        throw InvalidArgs(fmt::format("Option \"{}\" may have at most {} bytes.", name, limit));
    }
    return value;
}

std::optional<std::uint64_t> Options::number(const std::string& name) { return take<std::uint64_t>(name, "t"); }

bool Options::flag(const std::string& name) { return take<bool>(name, "b").value_or(false); }

std::optional<bool> Options::optionalFlag(const std::string& name) { return take<bool>(name, "b"); }

std::vector<std::string> Options::texts(const std::string& name) {
    constexpr std::size_t most = 1000;
    auto list = take<std::vector<std::string>>(name, "as").value_or(std::vector<std::string>{});
    if (list.size() > most) throw InvalidArgs(fmt::format("Option \"{}\" may have at most {} items.", name, most));
    return list;
}

void Options::refuseRest() const {
    if (options_.empty()) return;
    constexpr std::size_t shown = 64; // a caller may name an option as long as a message
    throw InvalidArgs(fmt::format("There is no option \"{}\" here.", options_.begin()->first.substr(0, shown)));
}

void refuseOptions(const VariantMap& options) { Options(options).refuseRest(); }

} // namespace holdfast
