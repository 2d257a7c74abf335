#include "transfer/compressor.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace holdfast {

namespace {

std::size_t checked(std::size_t code) {
    if (ZSTD_isError(code)) throw Error(fmt::format("zstd could not compress: {}.", ZSTD_getErrorName(code)));
    return code;
}

} // namespace

Compressor::Compressor(int level) : context_(ZSTD_createCCtx()) {
    if (!context_) throw std::bad_alloc();
    checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level));
    checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
}

std::string_view Compressor::step(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::size_t used = 0;
    while (true) {
        if (out_.size() - used < ZSTD_CStreamOutSize()) out_.resize(used + ZSTD_CStreamOutSize());
        ZSTD_outBuffer out{out_.data(), out_.size(), used};
        const auto left = checked(ZSTD_compressStream2(context_.get(), &out, &in, directive));
        used = out.pos;
        if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {out_.data(), used};
    }
}

} // namespace holdfast
