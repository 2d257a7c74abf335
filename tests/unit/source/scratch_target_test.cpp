#include "source/inspection.hpp"
#include "source/scratch_target.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <filesystem>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

std::string refusal(std::uint64_t size, std::uint64_t room, std::uint64_t maxSize) {
    try {
        demandRoom(size, {"the pool tank", room}, maxSize);
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

TEST(ScratchTarget, RoomIsDemanded) {
    EXPECT_EQ(refusal(90, 100, 0), "");
    EXPECT_NE(refusal(91, 100, 0).find("the pool tank"), std::string::npos);
    EXPECT_EQ(refusal(50, 100, 50), "");
    EXPECT_NE(refusal(51, 100, 50).find("drill.maxSize"), std::string::npos);
    EXPECT_NE(refusal(UINT64_MAX, UINT64_MAX, 0), "");
}

TEST(ScratchTarget, IsInThePoolOrInTheRunsOwnFolder) {
    Plan plan;
    plan.id = newId();
    EXPECT_EQ(scratchFor(plan, Paths{}).target, "/var/lib/holdfast/cache/" + plan.id + "/drill");
    ZfsConfig zfs;
    zfs.poolName = "tank/data/deep";
    plan.job.source = zfs;
    EXPECT_EQ(scratchFor(plan, Paths{}).target, "tank/holdfast-drill");
}

TEST(Inspection, CountsFilesAndFollowsNoSymlink) {
    const auto folder = std::filesystem::temp_directory_path() / ("holdfast-count-" + newId());
    std::filesystem::create_directories(folder / "sub/empty");
    replaceFile(folder / "sub/five", "12345", Durability::Volatile);
    replaceFile(folder / "two", "12", Durability::Volatile);
    std::filesystem::create_directory_symlink("/usr", folder / "elsewhere");
    const auto count = countFiles(folder);
    std::filesystem::remove_all(folder);
    EXPECT_EQ(count.files, 3U);
    EXPECT_EQ(count.bytes, 7U);
}

} // namespace
} // namespace holdfast
