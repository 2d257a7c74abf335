#include "source/scratch_target.hpp"

#include "source/zfs_command.hpp"
#include "util/error.hpp"
#include "util/format.hpp"

#include <charconv>
#include <filesystem>

#include <fmt/format.h>

namespace holdfast {

namespace {

std::string poolOf(const ZfsConfig& zfs) { return zfs.poolName.substr(0, zfs.poolName.find('/')); }

std::uint64_t parseBytes(const std::string& text, const std::string& pool) {
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (error == std::errc{} && end == text.data() + text.size()) return bytes;
    throw Error(fmt::format("zfs does not tell how much room there is in {}: it says \"{}\".", pool, text));
}

} // namespace

RestoreTask scratchFor(const Plan& plan, const Paths& paths) {
    RestoreTask task;
    if (const auto* zfs = std::get_if<ZfsConfig>(&plan.job.source))
        task.target = poolOf(*zfs) + "/holdfast-drill";
    else
        task.target = (paths.scratch(plan.id) / "drill").string();
    return task;
}

awaitable<Room> roomFor(const Plan& plan, const Paths& paths) {
    Room room;
    if (const auto* zfs = std::get_if<ZfsConfig>(&plan.job.source)) {
        const auto pool = poolOf(*zfs);
        const auto available = co_await zfsProperty("available", pool);
        room.place = "the pool " + pool;
        room.bytes = parseBytes(available, pool);
    } else {
        room.place = paths.cache().string();
        room.bytes = std::filesystem::space(paths.cache()).available;
    }
    co_return room;
}

void demandRoom(std::uint64_t size, const Room& room, std::uint64_t maxSize) {
    if (maxSize > 0 && size > maxSize) {
        throw Error(
            fmt::format("The backup has {} to restore, and drill.maxSize of the job allows {}. Raise it, or set "
                        "drill.deep to false.",
                        formatBytes(size), formatBytes(maxSize)));
    }
    if (size > room.bytes / 10 * 9) {
        throw Error(fmt::format("The backup has {} to restore, but {} has only {} free, of which a drill takes nine "
                                "tenths at most. Make room, or set drill.deep to false.",
                                formatBytes(size), room.place, formatBytes(room.bytes)));
    }
}

} // namespace holdfast
