#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>

namespace holdfast {

/// A running hash (OpenSSL EVP).
class Digest {
  public:
    /// `name` as OpenSSL knows it: "SHA256", "MD5", "SHA1". Throws `Error` for one that it does not offer.
    explicit Digest(const char* name);

    void add(std::string_view bytes);
    /// Lower-case hex, as rclone prints it. Ends the digest.
    std::string finish();

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

} // namespace holdfast
