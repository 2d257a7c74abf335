#include "util/id.hpp"

#include <algorithm>

#include <system_error>
#include <systemd/sd-id128.h>

namespace holdfast {

std::string newId() {
    sd_id128_t id;
    if (const int r = sd_id128_randomize(&id); r < 0) throw std::system_error(-r, std::generic_category(), "random id");
    char text[SD_ID128_STRING_MAX];
    return sd_id128_to_string(id, text);
}

bool isId(std::string_view text) {
    return text.size() == 32 && std::all_of(text.begin(), text.end(),
                                            [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace holdfast
