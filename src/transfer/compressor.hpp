#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <zstd.h>

namespace holdfast {

/// A zstd frame that is made as the bytes come.
class Compressor {
  public:
    explicit Compressor(int level);

    /// What is ready after `bytes` (perhaps nothing); valid until the next call.
    std::string_view add(std::string_view bytes) { return step(bytes, ZSTD_e_continue); }
    /// The end of the frame; nothing may follow.
    std::string_view finish() { return step({}, ZSTD_e_end); }

  private:
    std::string_view step(std::string_view bytes, ZSTD_EndDirective directive);

    struct Free {
        void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    };
    std::unique_ptr<ZSTD_CCtx, Free> context_;
    std::string out_;
};

} // namespace holdfast
