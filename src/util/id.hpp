#pragma once

#include <string>
#include <string_view>

namespace holdfast {

/// A fresh random 128-bit id: 32 lower-case hex digits.
std::string newId();

/// Whether `text` has the form of newId(). Ids become file, unit and object names, so what comes from outside is
/// checked.
bool isId(std::string_view text);

} // namespace holdfast
