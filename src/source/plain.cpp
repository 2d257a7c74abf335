#include "source/plain.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace holdfast {

awaitable<void> PlainSource::prepare() {
    const auto status = std::filesystem::status(path_);
    if (!std::filesystem::exists(status)) {
        throw Error(fmt::format("There is no {} to back up. Is its file system mounted?", path_.string()));
    }
    if (!std::filesystem::is_directory(status) && !std::filesystem::is_regular_file(status)) {
        throw Error(fmt::format("{} is neither a file nor a folder; only these can be copied.", path_.string()));
    }
    co_return;
}

} // namespace holdfast
