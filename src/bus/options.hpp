#pragma once

#include "bus/variant.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// Takes an `a{sv}` apart: each option that a method knows is taken by name and type, then refuseRest(). All throw
/// `InvalidArgs` that names the option.
class Options {
  public:
    explicit Options(VariantMap options) : options_(std::move(options)) {}

    /// Of type `s`, at most `limit` bytes.
    std::optional<std::string> text(const std::string& name, std::size_t limit);
    /// Of type `b`; false if it is not there.
    bool flag(const std::string& name);
    /// Of type `b`.
    std::optional<bool> optionalFlag(const std::string& name);
    /// Of type `t`.
    std::optional<std::uint64_t> number(const std::string& name);
    /// Of type `as`, at most 1000 of them; none if it is not given.
    std::vector<std::string> texts(const std::string& name);
    void refuseRest() const;

  private:
    template<typename Value>
    std::optional<Value> take(const std::string& name, const char* typeName);

    VariantMap options_;
};

/// For methods that have no options yet.
void refuseOptions(const VariantMap& options);

} // namespace holdfast
