#include "run/plan.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

Job job() {
    return parseJob(
        std::string(R"({"name": "nightly", "remoteName": "b2", "destinationPath": "backups", "sourcePath": "/srv",
                        "limits": {"memoryMax": "1G"}, "drill": {"schedule": "weekly", "maxSize": "2K"}})"));
}

TEST(DrillPlan, KeepsTheWholeJobAndTheTask) {
    const DrillTask task{.deep = false, .maxSize = 2048};
    const auto plan = planFromJson(toJson(planTask(task, job(), Settings{}, 0)));
    ASSERT_TRUE(plan.drills());
    EXPECT_FALSE(std::get<DrillTask>(plan.task).deep);
    EXPECT_EQ(std::get<DrillTask>(plan.task).maxSize, 2048U);
    EXPECT_EQ(plan.job.limits.memoryMax, 1U << 30);
    EXPECT_EQ(plan.job.drill->schedule, "weekly");
    EXPECT_EQ(plan.kind(), "drill");
    EXPECT_EQ(plan.outputPath(), "b2:backups");
    EXPECT_FALSE(plan.backsUp());
    EXPECT_NE(plan.lockName(), "nightly") << "backups of the job do not wait for it";
}

TEST(DrillConfig, IsDeepUnlessToldOtherwise) {
    EXPECT_TRUE(job().drill->deep);
    EXPECT_EQ(job().drill->maxSize, 2048U);
}

TEST(DrillConfig, ProblemsAreNamed) {
    try {
        parseJob(std::string(R"({"name": "nightly", "remoteName": "b2", "sourcePath": "/srv",
                     "drill": {"schedule": "61 * * * *", "maxSize": "much", "deep": "yes", "shallow": true}})"));
        FAIL();
    } catch (const InvalidJob& invalid) {
        std::vector<std::string> pointers;
        for (const auto& problem : invalid.problems()) pointers.push_back(problem.pointer);
        for (const char* pointer : {"/drill/schedule", "/drill/maxSize", "/drill/deep", "/drill/shallow"}) {
            EXPECT_NE(std::find(pointers.begin(), pointers.end(), pointer), pointers.end()) << pointer;
        }
    }
}

} // namespace
} // namespace holdfast
