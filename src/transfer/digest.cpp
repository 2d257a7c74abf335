#include "transfer/digest.hpp"

#include "util/error.hpp"

#include <array>

#include <fmt/format.h>

namespace holdfast {

Digest::Digest(const char* name) : context_(EVP_MD_CTX_new()) {
    const EVP_MD* type = EVP_get_digestbyname(name);
    if (!context_ || !type || EVP_DigestInit_ex(context_.get(), type, nullptr) != 1) {
        throw Error(fmt::format("OpenSSL on this machine does not offer {}.", name));
    }
}

void Digest::add(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw Error("OpenSSL could not hash.");
}

std::string Digest::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) != 1) throw Error("OpenSSL could not hash.");
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes[i]);
    return hex;
}

} // namespace holdfast
