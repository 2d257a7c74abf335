#include "util/error.hpp"

#include "util/text.hpp"

#include <cerrno>
#include <system_error>

namespace holdfast {

void throwErrno(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

std::string sentenceOf(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        return shortened(harmlessLines(e.what()), longestSentence);
    }
}

} // namespace holdfast
