#include "run/run_name.hpp"

#include "run/plan.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

TEST(RunName, isWhatARunGives) {
    const auto name = parseRunName("nightly-tank-20261123T121500Z-1f0c93ab.zfs.zst.manifest.json");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->job, "nightly-tank");
    EXPECT_EQ(name->idPart, "1f0c93ab");
    EXPECT_EQ(name->stem, "nightly-tank-20261123T121500Z-1f0c93ab");
    EXPECT_EQ(name->rest, ".zfs.zst.manifest.json");
    EXPECT_EQ(utcStamp(name->queuedAt), "20261123T121500Z");
}

TEST(RunName, ofEveryPlanIsRead) {
    const nlohmann::json documents = {
        {{"name", "a-b.c"}, {"remoteName", "r"}, {"sourcePath", "/x"}, {"layout", "versions"}},
        {{"name", "z"},
         {"remoteName", "r"},
         {"preprocessType", "zfs"},
         {"preprocessConfig", {{"zfs", {{"poolName", "tank"}, {"compressionLevel", 3}}}}}},
        {{"name", "20261123T121500Z-1f0c93ab"},
         {"remoteName", "r"},
         {"preprocessType", "flash"},
         {"preprocessConfig", {{"flash", nlohmann::json::object()}}}}};
    for (const auto& document : documents) {
        const auto plan = planRun(parseJob(document), Settings{}, 0);
        for (const auto& text : {plan.objectName, plan.fileListName(), plan.objectName + ".manifest.json"}) {
            if (plan.job.streams() && text == plan.fileListName()) continue; // a stream has none
            const auto name = parseRunName(text);
            ASSERT_TRUE(name) << text;
            EXPECT_EQ(name->job, plan.job.name);
            EXPECT_EQ(name->idPart, plan.id.substr(0, 8));
        }
    }
}

TEST(RunName, isNothingElse) {
    for (const char* text : {"",
                             "-",
                             "holiday.jpg",
                             "nightly.mirror.manifest.json",
                             "nightly-20261123T121500Z-1f0c93a",
                             "nightly-20261123T121500Z-1f0c93ag",
                             "nightly-20261123T121500Z-1F0C93AB.tar",
                             "nightly-20261123T121500Z-1f0c93ab.jpg",
                             "nightly-20261123T121500Z-1f0c93ab.tar.old",
                             "nightly-20261123T121500Z-1f0c93abcd.tar",
                             "nightly-20260231T121500Z-1f0c93ab.tar",
                             "nightly-20261123T246000Z-1f0c93ab.tar",
                             "20261123T121500Z-1f0c93ab.tar",
                             "-20261123T121500Z-1f0c93ab.tar",
                             "nightly20261123T121500Z-1f0c93ab.tar",
                             "../x-20261123T121500Z-1f0c93ab.tar",
                             "a b-20261123T121500Z-1f0c93ab.tar",
                             "copy of nightly-20261123T121500Z-1f0c93ab.tar",
                             "nightly-20261123T121500Z-1f0c93ab/../x",
                             "nightly-20261123T121500Z-1f0c93ab.tar.manifest.json~"}) {
        EXPECT_FALSE(parseRunName(text)) << text;
    }
}

} // namespace
} // namespace holdfast
