#include "bus/views.hpp"

#include "util/file.hpp"

#include <regex>
#include <set>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using Names = std::vector<std::string>;

/// Property names and types of an interface, from the XML that the adaptors are generated from.
std::map<std::string, std::string> declared(const std::string& interface) {
    const std::string xml = readFile(HOLDFAST_SOURCE_DIR "/dbus/org.holdfast1.xml", 1 << 20);
    const auto begin = xml.find("<interface name=\"" + interface + "\">");
    const std::string part = xml.substr(begin, xml.find("</interface>", begin) - begin);
    const std::regex property("<property name=\"(\\w+)\" type=\"([^\"]+)\"");
    std::map<std::string, std::string> found;
    for (std::sregex_iterator it(part.begin(), part.end(), property), end; it != end; ++it) found[(*it)[1]] = (*it)[2];
    return found;
}

TEST(RunProperties, AreThoseOfTheInterface) {
    std::map<std::string, std::string> shown;
    for (const auto& [name, value] : toProperties(RunView{})) shown[name] = value.peekValueType();
    EXPECT_EQ(shown, declared("org.holdfast1.Run"));
}

RunView example() {
    RunView view;
    view.id = "0123456789abcdef0123456789abcdef";
    view.state = "running";
    view.phase = "uploading";
    view.bytesDone = 10;
    return view;
}

TEST(ChangedRunProperties, NamesOnlyWhatDiffers) {
    const RunView before = example();
    EXPECT_EQ(changedProperties(before, before), Names{});
    RunView after = before;
    after.bytesDone = 11;
    after.rate = 5;
    after.metadata["snapshotName"] = "nightly";
    EXPECT_EQ(changedProperties(before, after), (Names{"BytesDone", "Rate", "Metadata"}));
}

RunView failedRestore() {
    RunView view = example();
    view.kind = "restore";
    view.startedByUid = 1000;
    view.result = "failed";
    view.error = "tar: /srv/private/letter: PGPASSWORD=hunter2";
    view.outputPath = "/srv/private";
    view.metadata = {{"scriptExitCode", 3},
                     {"snapshotName", "tank@nightly"},
                     {"filesInFlight", {"letter"}},
                     {"message", "Read /srv/private/letter."}};
    return view;
}

TEST(WhatEverybodyMayReadOfARun, HasNoNamesOfFilesAndNoWordsOfPrograms) {
    const RunView shown = shownTo(std::nullopt, failedRestore());
    EXPECT_EQ(shown.error.substr(0, 15), "The run failed;");
    EXPECT_EQ(shown.outputPath, "");
    EXPECT_EQ(shown.metadata, (nlohmann::json{{"scriptExitCode", 3}, {"snapshotName", "tank@nightly"}}));
    EXPECT_EQ(shownTo(1001, failedRestore()).error, shown.error);
}

TEST(WhatEverybodyMayReadOfARun, IsNotAllThatRootAndTheStarterMay) {
    for (const std::uint32_t uid : {0U, 1000U}) EXPECT_EQ(shownTo(uid, failedRestore()).error, failedRestore().error);
}

TEST(WhatEverybodyMayReadOfARun, HasTheReasonThatTheRunGives) {
    RunView view = failedRestore();
    view.reason = "QueueTimeout: The run could not start within 5min.";
    EXPECT_EQ(withoutDetails(view).error, view.reason);
    view.error.clear();
    EXPECT_EQ(withoutDetails(view).error, "");
}

TEST(RunViewOfHistory, ShowsTheEnd) {
    HistoryEntry entry;
    entry.id = "0123456789abcdef0123456789abcdef";
    entry.job = "tank";
    entry.kind = "streaming";
    entry.maxAttempts = 3;
    entry.queuedAt = 1;
    entry.result.result = "failed";
    entry.result.startedAt = 2;
    entry.result.finishedAt = 3;
    entry.result.last.state = "failed";
    entry.result.last.phase = "done";
    entry.result.last.error = "The producer died: \xFF";
    entry.result.last.metadata = {{"bytesProcessed", 9}};
    const RunView view = viewOf(entry);
    EXPECT_EQ(view.job, "tank");
    EXPECT_EQ(view.state, "failed");
    EXPECT_EQ(view.phase, "done");
    EXPECT_EQ(view.startedAt, 2U);
    EXPECT_EQ(view.finishedAt, 3U);
    EXPECT_EQ(view.error, "The producer died: \xEF\xBF\xBD");
    EXPECT_EQ(view.metadata.at("bytesProcessed"), 9);
    EXPECT_NO_THROW(toProperties(view));
}

TEST(LastRun, IsDatedByItsStartOrElseItsQueueing) {
    RunView view = example();
    view.queuedAt = 5;
    view.result = "timeout";
    EXPECT_EQ(lastRunOf(view).at, 5U);
    view.startedAt = 7;
    EXPECT_EQ(lastRunOf(view).at, 7U);
    EXPECT_EQ(lastRunOf(view).result, "timeout");
    EXPECT_EQ(lastRunOf(view).id, view.id);
}

TEST(ChangedJobProperties, NamesOnlyWhatDiffers) {
    JobView before;
    before.name = "tank";
    JobView after = before;
    EXPECT_EQ(changedProperties(before, after), Names{});
    after.enabled = false;
    after.lastRunResult = "done";
    EXPECT_EQ(changedProperties(before, after), (Names{"Enabled", "LastRunResult"}));
}

} // namespace
} // namespace holdfast
