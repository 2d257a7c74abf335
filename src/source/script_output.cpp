#include "source/script_output.hpp"

#include "util/async.hpp"

#include <algorithm>
#include <chrono>

#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr auto shortestPause = std::chrono::milliseconds(250);
/// Of its time, the watch works at most one part in this many: a folder may have millions of files.
constexpr int idleParts = 10;

constexpr std::uint64_t blockSize = 512; // of st_blocks

void addFile(const fs::path& path, FolderUse& use) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) return;
    use.onDisk += static_cast<std::uint64_t>(info.st_blocks) * blockSize;
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
    }
    return use;
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

awaitable<void> untilOutputPasses(std::uint64_t limit, fs::path output, std::string unit, Background& background) {
    while (true) {
        std::uint64_t used = 0;
        const auto begin = std::chrono::steady_clock::now();
        std::function<void(const Stop&)> measure = [&](const Stop& stop) {
            used = folderUse(output, stop).onDisk;
            for (const auto& folder : privateTmpOf(unit)) used += folderUse(folder, stop).onDisk;
        };
        co_await background.run(std::move(measure));
        if (used > limit) co_return;
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
        const auto pause = std::max<std::chrono::microseconds>(shortestPause, took * idleParts);
        co_await sleepFor(pause);
    }
}

} // namespace holdfast
