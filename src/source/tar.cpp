#include "source/tar.hpp"

#include <set>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t block = 512;
constexpr const char* blockingFactor =
    "--blocking-factor=64"; // 32 KiB a write; tar's default of 20 costs a third of the speed
constexpr std::uint64_t record = 64 * block;
constexpr std::size_t shortName = 100;

std::uint64_t roundUp(std::uint64_t size, std::uint64_t unit) { return (size + unit - 1) / unit * unit; }

/// GNU tar puts a name that does not fit its header into a member of its own.
std::uint64_t longNameSize(std::size_t length) { return length > shortName ? block + roundUp(length + 1, block) : 0; }

class SizeCounter {
  public:
    void add(const fs::path& path, std::string name) {
        struct stat info {};
        if (::lstat(path.c_str(), &info) < 0 || S_ISSOCK(info.st_mode)) return; // vanished, or left out by tar
        if (S_ISDIR(info.st_mode)) name += '/';
        size_ += block + longNameSize(name.size());
        if (S_ISLNK(info.st_mode)) size_ += longNameSize(static_cast<std::size_t>(info.st_size));
        if (S_ISREG(info.st_mode) && isFirst(info)) size_ += roundUp(static_cast<std::uint64_t>(info.st_size), block);
    }
    [[nodiscard]] std::uint64_t total() const { return roundUp(size_ + 2 * block, record); }

  private:
    /// The second name of a file is stored as a link to the first.
    bool isFirst(const struct stat& info) {
        return info.st_nlink < 2 || linked_.emplace(info.st_dev, info.st_ino).second;
    }

    std::uint64_t size_ = 0;
    std::set<std::pair<dev_t, ino_t>> linked_;
};

template<typename Visit>
void walk(const fs::path& folder, Visit visit) {
    std::error_code failed;
    for (fs::recursive_directory_iterator at(folder, failed), last; !failed && at != last; at.increment(failed)) {
        visit(at->path());
    }
}

/// FNV-1a, over whatever is told to it.
class Digest {
  public:
    template<typename T>
    void add(const T& value) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
        for (std::size_t i = 0; i < sizeof value; ++i) add(bytes[i]);
    }
    void add(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
    void add(const std::string& text) {
        for (const char c : text) add(static_cast<unsigned char>(c));
        add(static_cast<unsigned char>(0));
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// No inode numbers: FAT makes new ones up. A sum over entries does not depend on the order in which a folder lists
/// them.
std::uint64_t digestOf(const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) return 0;
    Digest digest;
    digest.add(path.string());
    if (!S_ISDIR(info.st_mode)) {
        digest.add(info.st_size);
        digest.add(info.st_mtim.tv_sec);
        digest.add(info.st_mtim.tv_nsec);
    }
    return digest.value();
}

} // namespace

std::uint64_t tarSize(const fs::path& folder, const std::string& nameInArchive) {
    SizeCounter counter;
    counter.add(folder, nameInArchive);
    walk(folder, [&](const fs::path& path) {
        counter.add(path, nameInArchive + "/" + path.lexically_relative(folder).string());
    });
    return counter.total();
}

Producer tarOfRepository(const fs::path& gitFolder) {
    const auto name = gitFolder.filename().string();
    return {.argv = {"tar", "--create", "--file=-", blockingFactor, "--format=gnu", "--numeric-owner", "--sort=name",
                     "--directory=" + gitFolder.parent_path().string(), "--", name},
            .totalBytes = tarSize(gitFolder, name),
            .estimated = true,
            .format = "tar"};
}

Producer tarOfFiles(const fs::path& folder, std::int64_t time) {
    return {.argv = {"tar", "--create", "--file=-", blockingFactor, "--format=gnu", "--numeric-owner", "--sort=name",
                     "--owner=0", "--group=0", "--mode=u=rwX,go=rX", fmt::format("--mtime=@{}", time),
                     "--directory=" + folder.string(), "--", "."},
            .totalBytes = tarSize(folder, "."),
            .estimated = true,
            .format = "tar"};
}

std::uint64_t fingerprint(const fs::path& gitFolder) {
    std::uint64_t sum = 0;
    for (const auto* file : {"HEAD", "packed-refs", "shallow"}) sum += digestOf(gitFolder / file);
    for (const auto* folder : {"refs", "objects"}) {
        walk(gitFolder / folder, [&](const fs::path& path) { sum += digestOf(path); });
    }
    return sum;
}

} // namespace holdfast
