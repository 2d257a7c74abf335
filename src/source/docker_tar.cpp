#include "source/docker_tar.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t block = 512;
constexpr std::uint64_t headers = 3 * block; // of a member in POSIX format: its own, and the times with their fractions

constexpr std::uint64_t record = 64 * block; // what tar writes at once

std::uint64_t roundUp(std::uint64_t size, std::uint64_t unit) { return (size + unit - 1) / unit * unit; }

class SizeCounter {
  public:
    void add(const fs::path& path) {
        struct stat info {};
        if (::lstat(path.c_str(), &info) < 0 || S_ISSOCK(info.st_mode)) return; // vanished, or left out by tar
        total_ += headers;
        if (!S_ISREG(info.st_mode)) return;
        if (info.st_nlink > 1 && !linked_.emplace(info.st_dev, info.st_ino).second) return;
        const auto onDisk = static_cast<std::uint64_t>(info.st_blocks) * block;
        total_ += std::min(roundUp(static_cast<std::uint64_t>(info.st_size), block), onDisk); // holes are left out
    }
    [[nodiscard]] std::uint64_t total() const { return roundUp(total_ + 2 * block, record); }

  private:
    std::uint64_t total_ = 0;
    std::set<std::pair<dev_t, ino_t>> linked_;
};

/// For a basic regular expression between commas.
std::string escaped(const std::string& text) {
    constexpr std::string_view special = "\\.[]*^$,;";
    std::string result;
    for (const char c : text) {
        if (special.find(c) != special.npos) result += '\\';
        result += c;
    }
    return result;
}

/// How tar finds it from /: with the dot, no name that was replaced looks like another volume's folder.
std::string fromRoot(const VolumeToRead& volume) { return "." + volume.folder.string(); }

} // namespace

std::string folderInArchive(const std::string& volume) { return "volumes/" + volume; }

std::uint64_t sizeOfVolumes(const std::vector<VolumeToRead>& volumes, const Stop& stop) {
    SizeCounter counter;
    for (const auto& volume : volumes) {
        counter.add(volume.folder);
        std::error_code failed;
        for (fs::recursive_directory_iterator at(volume.folder, failed), last; !failed && at != last;
             at.increment(failed)) {
            stop.check();
            counter.add(at->path());
        }
    }
    return counter.total();
}

std::uint64_t usedWhereVolumesLie(const std::vector<VolumeToRead>& volumes) {
    std::set<dev_t> seen;
    std::uint64_t used = 0;
    for (const auto& volume : volumes) {
        struct statvfs info {};
        if (!seen.insert(volume.device).second || ::statvfs(volume.folder.c_str(), &info) < 0) continue;
        used += (info.f_blocks - info.f_bfree) * info.f_frsize;
    }
    return used;
}

Producer tarOfVolumes(const std::vector<VolumeToRead>& volumes, std::uint64_t size) {
    Producer producer;
    // The attributes' own times and tar's process id would make two archives of the same files differ.
    producer.argv = {"tar",
                     "--create",
                     "--file=-",
                     "--blocking-factor=64",
                     "--format=posix",
                     "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
                     "--numeric-owner",
                     "--sort=name",
                     "--sparse",
                     "--xattrs",
                     "--xattrs-include=*",
                     "--acls",
                     "--directory=/"};
    // S: what a symlink points to stays as it is; that a hard link points to is a name in the archive.
    for (const auto& volume : volumes) {
        producer.argv.push_back(fmt::format("--transform=s,^{}\\(/\\|$\\),{}\\1,S", escaped(fromRoot(volume)),
                                            folderInArchive(volume.name)));
    }
    producer.argv.emplace_back("--");
    for (const auto& volume : volumes) producer.argv.push_back(fromRoot(volume));
    producer.totalBytes = size;
    producer.estimated = true;
    producer.format = "tar";
    return producer;
}

} // namespace holdfast
