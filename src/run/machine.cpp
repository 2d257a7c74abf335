#include "run/machine.hpp"

#include "util/error.hpp"

#include <systemd/sd-id128.h>
#include <unistd.h>

namespace holdfast {

namespace {

/// Of Holdfast: the hash of a machine-id with it tells neither the machine-id nor what other programs make of it.
constexpr sd_id128_t application = SD_ID128_ARRAY(b7, 1e, 5c, 0a, 43, 9d, 4e, 12, 9a, 6f, 0d, 84, c2, 77, 31, e8);

std::string machineId() {
    sd_id128_t id{};
    if (::sd_id128_get_machine_app_specific(application, &id) < 0) return {};
    std::string text(SD_ID128_STRING_MAX - 1, '\0');
    ::sd_id128_to_string(id, text.data());
    return text;
}

} // namespace

std::string hostName() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) < 0) throwErrno("ask for the host's name");
    return name;
}

Machine thisMachine() { return {machineId(), hostName()}; }

} // namespace holdfast
