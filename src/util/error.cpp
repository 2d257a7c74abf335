#include "util/error.hpp"

#include <cerrno>
#include <system_error>

namespace holdfast {

void throwErrno(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

} // namespace holdfast
