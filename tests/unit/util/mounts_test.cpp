#include "util/mounts.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr auto mountinfo = R"(22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw shared:12 - proc proc rw
40 22 8:17 / /srv/disk rw shared:2 master:3 - xfs /dev/sdb1 rw
41 22 8:1 /srv/data/store /mnt/bound rw shared:1 - ext4 /dev/sda1 rw
42 40 8:1 /srv/a\040b /srv/disk/with\040blank rw - ext4 /dev/sda1 rw
43 22 0:50 / /home/u/.gvfs rw,nosuid - fuse.gvfsd-fuse gvfsd-fuse rw,user_id=1000
nonsense
)";

bool reached(const char* folder, const char* path, bool oneFileSystem = false) {
    return isReachedFrom(folder, path, parseMounts(mountinfo), oneFileSystem);
}

TEST(Mounts, AreReadAsTheKernelWritesThem) {
    const auto mounts = parseMounts(mountinfo);
    ASSERT_EQ(mounts.size(), 6U);
    EXPECT_EQ(mounts[4].at, "/srv/disk/with blank");
    EXPECT_EQ(mounts[4].root, "/srv/a b");
    EXPECT_EQ(mounts[2].device, "8:17");
    EXPECT_EQ(mounts[5].type, "fuse.gvfsd-fuse");
    EXPECT_FALSE(currentMounts().empty());
}

TEST(Mounts, ByNameAFolderReachesWhatIsInIt) {
    EXPECT_TRUE(reached("/srv/data", "/srv/data"));
    EXPECT_TRUE(reached("/srv/data", "/srv/data/x/y"));
    EXPECT_FALSE(reached("/srv/data", "/srv/database"));
    EXPECT_FALSE(reached("/srv/data/x", "/srv/data"));
    EXPECT_TRUE(reached("/", "/srv/data"));
}

TEST(Mounts, ThroughABindMountItIsTheSame) {
    EXPECT_TRUE(reached("/srv/data", "/mnt/bound/jobs"));
    EXPECT_TRUE(reached("/mnt/bound", "/srv/data/store/jobs"));
    EXPECT_FALSE(reached("/srv/data/other", "/mnt/bound/jobs"));
    EXPECT_TRUE(reached("/srv/disk", "/srv/a b/c")) << "seen below the folder";
    EXPECT_FALSE(reached("/srv/disk", "/srv/a"));
}

TEST(Mounts, AnotherFileSystemIsReachedUnlessOneMustBeKeptTo) {
    EXPECT_TRUE(reached("/", "/srv/disk/x"));
    EXPECT_FALSE(reached("/", "/srv/disk/x", true));
    EXPECT_FALSE(reached("/srv/disk", "/srv/a b/c", true));
    EXPECT_TRUE(reached("/", "/mnt/bound/x", true));
}

TEST(Mounts, NamesEndAtSlashes) {
    EXPECT_TRUE(isWithin("/a/b", "/a"));
    EXPECT_TRUE(isWithin("/a/b", "/a/"));
    EXPECT_TRUE(isWithin("/a", "/"));
    EXPECT_FALSE(isWithin("/ab", "/a"));
}

} // namespace
} // namespace holdfast
