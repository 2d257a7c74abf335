#include "source/plain.hpp"

#include "util/error.hpp"

#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>

namespace holdfast {

namespace {

HeldPath holdIfThere(const std::filesystem::path& path) {
    try {
        return hold(path, Owners::Any);
    } catch (const NoSuchPath&) {
        throw Error(fmt::format("There is no {} to back up. Is its file system mounted?", path.string()));
    }
}

bool isSame(const HeldPath& one, const HeldPath& other) {
    return one.status().st_dev == other.status().st_dev && one.status().st_ino == other.status().st_ino;
}

/// rclone names a copy after its file, so it gets the folder and the name.
StoredTree folderOf(const HeldPath& file) {
    auto folder = std::make_shared<const HeldPath>(holdIfThere(file.real().parent_path()));
    const auto name = file.real().filename().string();
    const auto again = folder->below(name);
    if (again && isSame(*again, file)) return {std::move(folder), name};
    throw Error(fmt::format("{} was exchanged for another file while it was opened. Start the backup again.",
                            file.real().string()));
}

} // namespace

StoredTree holdPlain(const std::filesystem::path& sourcePath) {
    auto held = holdIfThere(sourcePath);
    if (held.isFolder()) return {std::make_shared<const HeldPath>(std::move(held))};
    if (S_ISREG(held.status().st_mode)) return folderOf(held);
    throw Error(fmt::format("{} is neither a file nor a folder; only these can be copied.", sourcePath.string()));
}

awaitable<void> PlainSource::prepare() {
    co_await background_.run([this](const Stop&) { tree_ = holdPlain(path_); });
}

} // namespace holdfast
