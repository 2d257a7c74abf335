#include "documents.hpp"

#include "job/public_document.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using test::minimal;
using test::with;

TEST(PublicDocument, leavesArgumentsOutAndSaysSo) {
    const auto job = with(minimal("script"), "/preprocessConfig/script/scriptArgs", {"--password", "hunter2"});
    const auto shown = withoutSecrets(job);
    EXPECT_EQ(shown.document, minimal("script"));
    EXPECT_EQ(shown.leftOut, std::vector<std::string>{"/preprocessConfig/script/scriptArgs"});
}

TEST(PublicDocument, keepsAllElse) {
    for (const char* type : {"none", "zfs", "flash", "script", "docker"}) {
        const auto job = with(minimal(type), "/rcloneOptions/exclude", {"*.tmp"});
        const auto shown = withoutSecrets(job);
        EXPECT_EQ(shown.document, job);
        EXPECT_TRUE(shown.leftOut.empty());
    }
}

} // namespace
} // namespace holdfast
