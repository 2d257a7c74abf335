#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <zstd.h>

namespace holdfast {

/// Unpacks zstd frames as their bytes come, in bounded memory however well they were packed.
class Decompressor {
  public:
    Decompressor();

    /// Takes from the front of `bytes` what it can and returns what is ready, at most some 128 KiB; valid until the
    /// next call. All that there is has come when it returns nothing and `bytes` is empty. Throws `Error` for what is
    /// not zstd, or was damaged.
    std::string_view step(std::string_view& bytes);
    /// Whether the last frame has come to its end.
    [[nodiscard]] bool whole() const { return whole_; }

  private:
    struct Free {
        void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
    };
    std::unique_ptr<ZSTD_DCtx, Free> context_;
    std::string out_;
    bool whole_ = true;
};

} // namespace holdfast
