#include "util/file.hpp"

#include "util/error.hpp"
#include "util/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace holdfast {

namespace {

std::string readAll(int fd, const std::filesystem::path& path, std::size_t limit) {
    struct stat info {};
    if (::fstat(fd, &info) < 0) throwErrno("stat " + path.string());
    if (!S_ISREG(info.st_mode)) throw Error(fmt::format("{} is not a regular file.", path.string()));

    std::string content;
    constexpr std::size_t smallest = 4 * 1024, largest = 64 * 1024;
    std::string chunk(std::clamp(static_cast<std::size_t>(info.st_size) + 1, smallest, largest), '\0');
    while (true) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throwErrno("read " + path.string());
        if (got == 0) return content;
        content.append(chunk.data(), static_cast<std::size_t>(got));
        if (content.size() > limit) {
            throw Error(fmt::format("{} is larger than the {} bytes that it may have.", path.string(), limit));
        }
    }
}

void writeAll(int fd, std::string_view bytes, const std::string& what) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) throwErrno(what);
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
}

} // namespace

std::optional<std::string> readFileIfThere(const std::filesystem::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd) throwErrno("open " + path.string());
    return readAll(fd.get(), path, limit);
}

std::string readFile(const std::filesystem::path& path, std::size_t limit) {
    auto content = readFileIfThere(path, limit);
    if (!content) {
        errno = ENOENT;
        throwErrno("open " + path.string());
    }
    return std::move(*content);
}

void replaceFile(const std::filesystem::path& path, std::string_view content, Durability durability, mode_t mode) {
    const std::string beside = (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
    std::string name = beside;
    const Fd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) throwErrno("create a file beside " + path.string());
    try {
        if (::fchmod(fd.get(), mode) < 0) throwErrno("chmod " + name);
        writeAll(fd.get(), content, "write " + name);
        if (durability == Durability::Durable && ::fsync(fd.get()) < 0) throwErrno("sync " + name);
        if (::rename(name.c_str(), path.c_str()) < 0) throwErrno("rename to " + path.string());
    } catch (...) {
        ::unlink(name.c_str());
        throw;
    }
    if (durability == Durability::Durable) syncFolder(path.parent_path());
}

void appendDurably(int fd, std::string_view bytes) {
    writeAll(fd, bytes, "append");
    if (::fdatasync(fd) < 0) throwErrno("sync");
}

void removeFile(const std::filesystem::path& path) {
    if (::unlink(path.c_str()) < 0) {
        if (errno == ENOENT) return;
        throwErrno("remove " + path.string());
    }
    syncFolder(path.parent_path());
}

void syncFolder(const std::filesystem::path& folder) {
    const Fd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throwErrno("open " + folder.string());
    if (::fsync(fd.get()) < 0) throwErrno("sync " + folder.string());
}

} // namespace holdfast
