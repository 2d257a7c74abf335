#include "job/settings.hpp"

#include "../temporary_folder.hpp"
#include "documents.hpp"
#include "util/error.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {

namespace {

Settings load(const std::string& text) {
    const TemporaryFolder folder;
    writeFile(folder / "holdfast.json", text);
    return loadSettings(folder / "holdfast.json");
}

/// The message, without the file's path in front.
std::string errorOf(const std::string& text) {
    try {
        load(text);
        return "";
    } catch (const Error& error) {
        const std::string what = error.what();
        EXPECT_NE(what.find("/holdfast.json: "), what.npos) << what;
        return what.substr(what.find(": ") + 2);
    }
}

} // namespace

TEST(Settings, DefaultsOfTheSeedWithoutAFile) {
    const TemporaryFolder folder;
    for (const auto& settings : {loadSettings(folder / "none.json"), load("{}")}) {
        EXPECT_EQ(settings.rcloneConfig, "/etc/holdfast/rclone.conf");
        EXPECT_EQ(settings.maxConcurrentStreaming, 3U);
        EXPECT_EQ(settings.maxConcurrentCopies, 3U);
        EXPECT_EQ(settings.maxTotalBandwidth, 104'857'600U);
        EXPECT_EQ(settings.queueTimeout, 300 * usecPerSec);
        EXPECT_EQ(settings.maxAttempts, 3U);
        EXPECT_EQ(settings.retryDelay, 1 * usecPerSec);
        EXPECT_EQ(settings.retryDelayMax, 30 * usecPerSec);
        EXPECT_EQ(settings.stallWarning, 30 * usecPerSec);
        EXPECT_EQ(settings.killDelay, 10 * usecPerSec);
        EXPECT_EQ(settings.historyMaxAge, 365 * 86'400 * usecPerSec);
        EXPECT_EQ(settings.historyMaxRuns, 100'000U);
    }
}

TEST(Settings, EveryKeyIsRead) {
    const auto settings = load(R"({"rcloneConfig": "/root/rclone.conf", "maxConcurrentStreaming": 1,
        "maxConcurrentCopies": 2, "maxQueuedRuns": 5, "maxTotalBandwidth": "1.5M", "queueTimeout": "10min",
        "maxAttempts": 7, "retryDelay": 0.5, "retryDelayMax": "1min", "stallWarning": 5, "stallTimeout": "1h",
        "killDelay": 2, "historyMaxAge": "30d", "historyMaxRuns": 9})");
    EXPECT_EQ(settings.rcloneConfig, "/root/rclone.conf");
    EXPECT_EQ(settings.maxConcurrentStreaming, 1U);
    EXPECT_EQ(settings.maxConcurrentCopies, 2U);
    EXPECT_EQ(settings.maxQueuedRuns, 5U);
    EXPECT_EQ(settings.maxTotalBandwidth, 1'572'864U);
    EXPECT_EQ(settings.queueTimeout, 600 * usecPerSec);
    EXPECT_EQ(settings.maxAttempts, 7U);
    EXPECT_EQ(settings.retryDelay, usecPerSec / 2);
    EXPECT_EQ(settings.retryDelayMax, 60 * usecPerSec);
    EXPECT_EQ(settings.stallWarning, 5 * usecPerSec);
    EXPECT_EQ(settings.stallTimeout, 3600 * usecPerSec);
    EXPECT_EQ(settings.killDelay, 2 * usecPerSec);
    EXPECT_EQ(settings.historyMaxAge, 30 * 86'400 * usecPerSec);
    EXPECT_EQ(settings.historyMaxRuns, 9U);
    EXPECT_EQ(load(R"({"maxTotalBandwidth": 0})").maxTotalBandwidth, 0U);
    EXPECT_EQ(load(R"({"maxAttempts": null})").maxAttempts, 3U);
}

TEST(Settings, ErrorsNameTheKeyAndWhatItMayBe) {
    EXPECT_EQ(errorOf(R"({"maxAttempts": 0})"), "maxAttempts must be a whole number from 1 to 100, not \"0\".");
    EXPECT_EQ(errorOf(R"({"maxAttempts": "3"})"), "maxAttempts must be a whole number from 1 to 100, not \"3\".");
    EXPECT_EQ(
        errorOf(R"({"killDelay": "soon"})"),
        "killDelay must be from 0.1 to 60 seconds, as a number or as a time span such as \"5min\", not \"soon\".");
    EXPECT_EQ(errorOf(R"({"rcloneConf": "/x"})").substr(0, 53),
              "there is no key \"rcloneConf\"; the keys are: historyMa");
    EXPECT_EQ(errorOf("[]"), "the settings must be a JSON object.");
    EXPECT_EQ(errorOf("{\"maxAttempts\": }").substr(0, 30), "The document is not valid JSON");
    EXPECT_EQ(errorOf(R"({"maxAttempts": 1, "maxAttempts": 2})"), "The field \"maxAttempts\" is there more than once");
}

TEST(Settings, RangesFromBothSides) {
    for (const auto* text :
         {R"({"maxConcurrentStreaming": 64})", R"({"maxConcurrentCopies": 64})", R"({"maxQueuedRuns": 100000})",
          R"({"queueTimeout": 1})", R"({"queueTimeout": "7d"})", R"({"retryDelay": 0})", R"({"stallWarning": 1})",
          R"({"killDelay": 0.1})", R"({"killDelay": 60})", R"({"historyMaxAge": 0})", R"({"historyMaxAge": "100y"})",
          R"({"historyMaxRuns": 0})"}) {
        EXPECT_EQ(errorOf(text), "") << text;
    }
    for (const auto* text : {R"({"maxConcurrentStreaming": 0})",
                             R"({"maxConcurrentStreaming": 65})",
                             R"({"maxConcurrentCopies": -1})",
                             R"({"maxConcurrentCopies": 1.5})",
                             R"({"maxQueuedRuns": 100001})",
                             R"({"maxQueuedRuns": 4294967297})",
                             R"({"queueTimeout": 0})",
                             R"({"queueTimeout": "8d"})",
                             R"({"queueTimeout": 1e300})",
                             R"({"retryDelay": -1})",
                             R"({"retryDelay": true})",
                             R"({"retryDelay": 31})",
                             R"({"stallTimeout": 29})",
                             R"({"killDelay": 0})",
                             R"({"killDelay": 61})",
                             R"({"historyMaxAge": -1})",
                             R"({"historyMaxAge": "101y"})",
                             R"({"historyMaxRuns": -1})",
                             R"({"historyMaxRuns": 100000001})",
                             R"({"maxTotalBandwidth": -1})",
                             R"({"maxTotalBandwidth": 1.5})",
                             R"({"maxTotalBandwidth": "10%"})",
                             R"({"rcloneConfig": "rclone.conf"})",
                             R"({"rcloneConfig": ""})",
                             R"({"rcloneConfig": "/etc/"})",
                             R"({"rcloneConfig": 5})",
                             R"({"rcloneConfig": "/a\u0000b"})"}) {
        EXPECT_NE(errorOf(text), "") << text;
    }
}

TEST(Settings, FilesThatAreNoFiles) {
    const TemporaryFolder folder;
    EXPECT_THROW(loadSettings(folder.path()), std::exception);
    writeFile(folder / "large.json", std::string(70'000, ' '));
    EXPECT_THROW(loadSettings(folder / "large.json"), Error);
}

} // namespace holdfast::test
