#include "util/merge_patch.hpp"

#include "util/error.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

using nlohmann::json;

/// What the patch makes of `before`.
json patched(json before, const json& after) {
    before.merge_patch(mergePatchBetween(before, after));
    return before;
}

TEST(MergePatchBetween, isEmptyForEqualDocuments) {
    const json document = {{"name", "a"}, {"limits", {{"memoryMax", "1G"}}}};
    EXPECT_EQ(mergePatchBetween(document, document), json::object());
}

TEST(MergePatchBetween, namesOnlyWhatDiffers) {
    const json before = {{"name", "a"}, {"enabled", true}, {"limits", {{"memoryMax", "1G"}, {"tasksMax", 9}}}};
    const json after = {{"name", "a"}, {"enabled", false}, {"limits", {{"memoryMax", "2G"}, {"tasksMax", 9}}}};
    EXPECT_EQ(mergePatchBetween(before, after), json({{"enabled", false}, {"limits", {{"memoryMax", "2G"}}}}));
    EXPECT_EQ(patched(before, after), after);
}

TEST(MergePatchBetween, removesWithNull) {
    const json before = {{"name", "a"}, {"schedule", "daily"}, {"limits", {{"memoryMax", "1G"}}}};
    const json after = {{"name", "a"}, {"limits", json::object()}};
    EXPECT_EQ(mergePatchBetween(before, after), json({{"schedule", nullptr}, {"limits", {{"memoryMax", nullptr}}}}));
    EXPECT_EQ(patched(before, after), after);
}

TEST(MergePatchBetween, replacesArraysWhole) {
    const json before = {{"scriptArgs", {"a", "b"}}};
    const json after = {{"scriptArgs", {"b"}}};
    EXPECT_EQ(mergePatchBetween(before, after), after);
    EXPECT_EQ(patched(before, after), after);
}

TEST(MergePatchBetween, crossesBetweenObjectsAndOthers) {
    const json object = {{"x", {{"y", 1}}}};
    const json scalar = {{"x", 5}};
    EXPECT_EQ(patched(object, scalar), scalar);
    EXPECT_EQ(patched(scalar, object), object);
}

TEST(MergePatchBetween, addsAndEmptiesObjects) {
    const json without = {{"name", "a"}};
    const json with = {{"name", "a"}, {"rcloneOptions", json::object()}, {"limits", {{"a", {{"b", 1}}}}}};
    EXPECT_EQ(patched(without, with), with);
    EXPECT_EQ(patched(with, without), without);
}

TEST(MergePatchFrom, takesJsonAsJsonAndTheRestAsText) {
    EXPECT_EQ(mergePatchFrom("enabled=false"), json({{"enabled", false}}));
    EXPECT_EQ(mergePatchFrom("preprocessTimeout=60"), json({{"preprocessTimeout", 60}}));
    EXPECT_EQ(mergePatchFrom("schedule=*-*-* 03:00"), json({{"schedule", "*-*-* 03:00"}}));
    EXPECT_EQ(mergePatchFrom("name=\"7\""), json({{"name", "7"}}));
    EXPECT_EQ(mergePatchFrom("x=a=b"), json({{"x", "a=b"}}));
}

TEST(MergePatchFrom, followsDots) {
    EXPECT_EQ(mergePatchFrom("preprocessConfig.zfs.compressionLevel=3"),
              json({{"preprocessConfig", {{"zfs", {{"compressionLevel", 3}}}}}}));
}

TEST(MergePatchFrom, removesWithNothing) {
    EXPECT_EQ(mergePatchFrom("limits.tasksMax="), json({{"limits", {{"tasksMax", nullptr}}}}));
}

TEST(MergePatchFrom, refusesWhatIsNoAssignment) {
    EXPECT_THROW(mergePatchFrom("enabled"), Error);
    EXPECT_THROW(mergePatchFrom("=5"), Error);
}

} // namespace
} // namespace holdfast
