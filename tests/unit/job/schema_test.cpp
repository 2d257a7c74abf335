// The schema itself, and the pages that show jobs.

#include "documents.hpp"

#include "job/schema.hpp"
#include "util/file.hpp"

#include <filesystem>
#include <functional>
#include <set>

#include <gtest/gtest.h>

namespace holdfast::test {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const json& schema() {
    static const json parsed = json::parse(jobSchemaText);
    return parsed;
}

/// Calls `visit` with every part of the schema that describes a value, and the name of its field.
void forEachField(const json& part, const std::string& name,
                  const std::function<void(const json&, const std::string&)>& visit) {
    visit(part, name);
    const auto members = part.value("properties", json::object());
    for (const auto& [member, definition] : members.items()) forEachField(definition, member, visit);
    if (part.contains("items")) forEachField(part["items"], name, visit);
}

void forEachField(const std::function<void(const json&, const std::string&)>& visit) {
    forEachField(schema(), "", visit);
    for (const auto& [name, definition] : schema()["definitions"].items()) forEachField(definition, name, visit);
}

std::string text(const fs::path& path) { return readFile(path, 1 << 20); }

/// The ```json blocks of a page that hold a job.
std::vector<std::string> jobsIn(const std::string& page) {
    std::vector<std::string> found;
    const std::string fence = "```json\n";
    for (auto at = page.find(fence); at != page.npos; at = page.find(fence, at + 1)) {
        const auto start = at + fence.size();
        const auto block = page.substr(start, page.find("```", start) - start);
        const bool isJob = block.find("\"remoteName\"") != block.npos || block.find("\"preprocessType\"") != block.npos;
        if (isJob) found.push_back(block);
    }
    return found;
}

const fs::path docs = fs::path(HOLDFAST_SOURCE_DIR) / "docs";

} // namespace

TEST(Schema, HasNoKeywordThatTheProgramHasNoWordsFor) {
    const std::set<std::string> known{"type",        "enum",     "minLength",
                                      "maxLength",   "minimum",  "exclusiveMinimum",
                                      "maximum",     "minItems", "maxItems",
                                      "uniqueItems", "allOf",    "properties",
                                      "items",       "required", "additionalProperties",
                                      "$ref",        "title",    "description",
                                      "default",     "examples", "x-secret"};
    const std::set<std::string> rootOnly{"$schema", "definitions", "x-about", "x-rules"};
    forEachField([&](const json& part, const std::string& name) {
        for (const auto& [keyword, unused] : part.items()) {
            EXPECT_TRUE(known.contains(keyword) || (&part == &schema() && rootOnly.contains(keyword)))
                << name << ": " << keyword;
        }
    });
}

TEST(Schema, EveryRuleHasItsCodeAndSentence) {
    forEachField([](const json& part, const std::string& name) {
        for (const auto& rule : part.value("allOf", json::array())) {
            EXPECT_FALSE(rule.value("x-code", "").empty()) << name;
            EXPECT_FALSE(rule.value("x-message", "").empty()) << name;
        }
    });
}

TEST(Schema, EveryStringAndListIsBounded) {
    forEachField([](const json& part, const std::string& name) {
        const auto types = part.contains("type") ? part["type"].dump() : "";
        const bool isText = types.find("string") != types.npos && !part.contains("enum");
        const bool isList = types.find("array") != types.npos;
        const bool isObject = types.find("object") != types.npos;
        EXPECT_TRUE(!isText || part.contains("maxLength")) << name;
        EXPECT_TRUE(!isList || part.contains("maxItems")) << name;
        EXPECT_TRUE(!isObject || part.value("additionalProperties", true) == false) << name;
    });
}

TEST(Schema, EveryFieldIsDescribed) {
    forEachField([](const json& part, const std::string& name) {
        const auto members = part.value("properties", json::object());
        for (const auto& [member, definition] : members.items()) {
            EXPECT_TRUE(definition.contains("description") || definition.contains("$ref")) << name << "." << member;
        }
    });
}

TEST(Schema, DefaultsAreThoseOfTheProgram) {
    json document = minimal("none");
    for (const auto& [name, definition] : schema()["properties"].items()) {
        if (definition.contains("default")) document[name] = definition["default"];
    }
    const auto job = parseJob(document);
    const Job fresh;
    EXPECT_GT(document.size(), 8U);
    EXPECT_EQ(job.enabled, fresh.enabled);
    EXPECT_EQ(job.schedule, fresh.schedule);
    EXPECT_EQ(job.randomizedDelay, fresh.randomizedDelay);
    EXPECT_EQ(job.destinationPath, fresh.destinationPath);
    EXPECT_EQ(job.rcloneOptions, fresh.rcloneOptions);
    EXPECT_EQ(job.layout, fresh.layout);
    EXPECT_EQ(job.sourceType(), fresh.sourceType());
    EXPECT_EQ(job.preprocessTimeout, fresh.preprocessTimeout);
    EXPECT_EQ(job.cleanupOnFailure, fresh.cleanupOnFailure);

    document = minimal("flash");
    for (const auto& [name, definition] :
         schema()["properties"]["preprocessConfig"]["properties"]["flash"]["properties"].items()) {
        if (definition.contains("default")) document["preprocessConfig"]["flash"][name] = definition["default"];
    }
    const auto flash = std::get<FlashConfig>(parseJob(document).source);
    EXPECT_EQ(document["preprocessConfig"]["flash"].size(), 4U);
    EXPECT_EQ(flash.gitPath, FlashConfig{}.gitPath);
    EXPECT_EQ(flash.streamDirect, FlashConfig{}.streamDirect);
    EXPECT_EQ(flash.commitMessage, FlashConfig{}.commitMessage);
    EXPECT_EQ(flash.includeGitHistory, FlashConfig{}.includeGitHistory);
}

TEST(Schema, ItsExamplesAreValid) {
    for (const auto& [name, definition] : schema()["properties"].items()) {
        for (const auto& example : definition.value("examples", json::array())) {
            const auto* source = name == "keep" ? "zfs" : "none"; // a plain job is a mirror, which has no versions
            EXPECT_TRUE(problemsOf(with(minimal(source), "/" + name, example)).empty()) << name << ": " << example;
        }
    }
}

TEST(Docs, EveryJobThatIsShownIsValid) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(docs)) {
        if (entry.path().extension() != ".md") continue;
        for (const auto& job : jobsIn(text(entry.path()))) {
            ++count;
            const auto problems = problemsOfText(job);
            EXPECT_TRUE(problems.empty()) << entry.path() << ":\n" << job << InvalidJob(problems).what();
        }
    }
    EXPECT_GE(count, 6U);
}

TEST(Docs, ReferenceIsWrittenFromThisSchema) {
    const auto page = text(docs / "jobs.md");
    forEachField([&](const json& part, const std::string& name) {
        const auto members = part.value("properties", json::object());
        for (const auto& [member, definition] : members.items()) {
            EXPECT_NE(page.find("| `" + member + "` |"), page.npos)
                << name << "." << member << ": run docs/job-reference";
            EXPECT_NE(page.find(definition.value("description", "")), page.npos)
                << member << ": run docs/job-reference";
        }
        for (const auto& rule : part.value("allOf", json::array())) {
            auto message = rule["x-message"].get<std::string>();
            for (auto bar = message.find('|'); bar != message.npos; bar = message.find('|', bar + 2))
                message.insert(bar, "\\");
            EXPECT_NE(page.find(message), page.npos) << message << ": run docs/job-reference";
        }
    });
}

} // namespace holdfast::test
