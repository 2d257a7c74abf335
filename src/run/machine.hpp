#pragma once

#include <string>

namespace holdfast {

/// One installation of an operating system. Two may have the same host name, and one may change it.
struct Machine {
    std::string id;   ///< a hash of the machine-id (machine-id(5)); empty where there is none
    std::string host; ///< for people, and for manifests that name no machine
};

/// This machine's name, as manifests have it.
std::string hostName();

Machine thisMachine();

} // namespace holdfast
