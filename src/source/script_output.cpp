#include "source/script_output.hpp"

#include "util/async.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr auto shortestPause = std::chrono::milliseconds(250);
/// Of its time, the watch works at most one part in this many: a folder may have millions of files.
constexpr int idleParts = 10;

constexpr std::uint64_t blockSize = 512; // of st_blocks
constexpr std::uint64_t smallestEntry = 4096;

void addFile(const fs::path& path, FolderUse& use) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) {
        use.tooDeep = use.tooDeep || errno == ENAMETOOLONG;
        return;
    }
    ++use.entries;
    use.onDisk += std::max(static_cast<std::uint64_t>(info.st_blocks) * blockSize, smallestEntry);
    if (!S_ISREG(info.st_mode)) return;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    use.content += size;
    use.largestFile = std::max(use.largestFile, size);
}

} // namespace

FolderUse folderUse(const fs::path& folder, const Stop& stop) {
    FolderUse use;
    std::vector<fs::path> ahead{folder};
    while (!ahead.empty()) {
        const auto current = std::move(ahead.back());
        ahead.pop_back();
        std::error_code gone;
        fs::directory_iterator entries(current, gone);
        for (; !gone && entries != fs::directory_iterator(); entries.increment(gone)) {
            stop.check();
            addFile(entries->path(), use);
            std::error_code unknown;
            if (entries->symlink_status(unknown).type() == fs::file_type::directory) ahead.push_back(entries->path());
        }
        use.tooDeep = use.tooDeep || gone == std::errc::filename_too_long;
    }
    return use;
}

OutputLimits outputLimits(std::uint64_t bytes, const fs::path& folder) {
    constexpr auto any = std::numeric_limits<std::uint64_t>::max();
    struct statvfs info {};
    if (::statvfs(folder.c_str(), &info) < 0) throwErrno("look at the file system of " + folder.string());
    const bool counts = info.f_files > 0; // some have no limit
    return {bytes, counts ? info.f_favail / 10 * 9 : any};
}

std::uint64_t outputLimit(std::uint64_t asked, std::uint64_t free) { return std::min(asked, free / 10 * 9); }

std::vector<fs::path> privateTmpOf(const std::string& unit) {
    std::vector<fs::path> found;
    for (const char* folder : {"/tmp", "/var/tmp"}) {
        std::error_code failed;
        fs::directory_iterator entries(folder, failed);
        for (; !failed && entries != fs::directory_iterator(); entries.increment(failed)) {
            const auto name = entries->path().filename().string();
            if (name.starts_with("systemd-private-") && name.find("-" + unit + "-") != std::string::npos) {
                found.push_back(entries->path());
            }
        }
    }
    return found;
}

namespace {

FolderUse useOfScript(const fs::path& output, const std::string& unit, const Stop& stop) {
    auto all = folderUse(output, stop);
    for (const auto& folder : privateTmpOf(unit)) {
        const auto use = folderUse(folder, stop);
        all.onDisk += use.onDisk;
        all.entries += use.entries;
        all.tooDeep = all.tooDeep || use.tooDeep;
    }
    return all;
}

std::optional<Passed> passedBy(const FolderUse& use, const OutputLimits& limits) {
    if (use.onDisk > limits.bytes) return Passed::Bytes;
    if (use.entries > limits.entries) return Passed::Entries;
    if (use.tooDeep) return Passed::Depth;
    return std::nullopt;
}

} // namespace

awaitable<void> untilOutputPasses(OutputLimits limits, fs::path output, std::string unit, Background& background,
                                  Passed& passed) {
    while (true) {
        FolderUse use;
        const auto begin = std::chrono::steady_clock::now();
        std::function<void(const Stop&)> measure = [&](const Stop& stop) { use = useOfScript(output, unit, stop); };
        co_await background.run(std::move(measure));
        if (const auto limit = passedBy(use, limits)) {
            passed = *limit;
            co_return;
        }
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
        const auto pause = std::max<std::chrono::microseconds>(shortestPause, took * idleParts);
        co_await sleepFor(pause);
    }
}

} // namespace holdfast
