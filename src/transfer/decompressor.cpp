#include "transfer/decompressor.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace holdfast {

Decompressor::Decompressor() : context_(ZSTD_createDCtx()), out_(ZSTD_DStreamOutSize(), '\0') {
    if (!context_) throw std::bad_alloc();
}

std::string_view Decompressor::step(std::string_view& bytes) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const auto left = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(left)) throw Error(fmt::format("zstd could not unpack it: {}.", ZSTD_getErrorName(left)));
    // At the end of a frame it asks for the next one's first bytes; that there are none is no fault.
    if (in.pos > 0 || out.pos > 0) whole_ = left == 0;
    bytes.remove_prefix(in.pos);
    return {out_.data(), out.pos};
}

} // namespace holdfast
