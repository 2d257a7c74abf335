// Documents that are written to break the reader.

#include "documents.hpp"

#include "job/document.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {

using nlohmann::json;

namespace {

std::string repeated(const std::string& text, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
}

Problem onlyProblem(const std::string& text) {
    const auto problems = problemsOfText(text);
    EXPECT_EQ(problems.size(), 1U);
    return problems.empty() ? Problem{} : problems.front();
}

/// What goes over the bus must be UTF-8.
bool isUtf8(const std::string& text) {
    try {
        return !json(text).dump().empty();
    } catch (const json::type_error&) {
        return false;
    }
}

} // namespace

TEST(Hostile, SyntaxErrorsSayWhere) {
    EXPECT_EQ(onlyProblem("{\n  \"name\": \"a\",\n  \"enabled\": tru\n}").message.substr(0, 53),
              "The document is not valid JSON at line 3, column 17: ");
    EXPECT_EQ(onlyProblem("").message.substr(0, 51), "The document is not valid JSON at line 1, column 1:");
    for (const auto* text :
         {"{", "{\"a\":1,}", "{} {}", "{'a':1}", "// x\n{}", "\xff", "{\"a\":\"\xc3\"}", "{\"a\":1e999}", "nul"}) {
        const auto problem = onlyProblem(text);
        EXPECT_EQ(problem.code, "json") << text;
        EXPECT_EQ(problem.pointer, "");
        EXPECT_TRUE(isUtf8(problem.message)) << text;
    }
}

TEST(Hostile, InvalidUtf8IsNamed) {
    EXPECT_EQ(onlyProblem("{\"name\":\n\"\xc0\xaf\"}").message,
              "The document is not valid JSON at line 2, column 2: invalid UTF-8");
    EXPECT_EQ(problemsOf(with(minimal("none"), "/name", "\xff")).at(0).code, "json");
}

TEST(Hostile, RootMustBeAnObject) {
    for (const auto* text : {"[]", "null", "5", "\"x\"", "true", "[[]]"}) {
        EXPECT_EQ(onlyProblem(text), (Problem{"", "type", "A job must be an object"})) << text;
    }
}

TEST(Hostile, LargeDocumentsAreNotParsed) {
    const auto large = json{{"name", std::string(10'000'000, 'a')}}.dump();
    EXPECT_EQ(onlyProblem(large),
              (Problem{"", "too-large", "The document has 10000011 bytes; it may have at most 65536"}));
    EXPECT_EQ(onlyProblem(std::string(maxDocumentSize + 1, ' ')).code, "too-large");
    EXPECT_EQ(problemsOf(json{{"name", std::string(10'000'000, 'a')}}).at(0).code, "too-large");

    auto text = minimal("none").dump();
    text.append(maxDocumentSize - text.size(), ' ');
    EXPECT_TRUE(problemsOfText(text).empty());
}

TEST(Hostile, DeepNestingIsRefused) {
    for (const std::size_t depth : {17, 1000, 30'000}) {
        EXPECT_EQ(onlyProblem(repeated("[", depth)).code, "too-deep");
        EXPECT_EQ(onlyProblem(repeated("{\"a\":", depth)).code, depth > 10'000 ? "too-large" : "too-deep");
    }
    EXPECT_EQ(onlyProblem(repeated("[", 100'000)).code, "too-large");
    EXPECT_EQ(onlyProblem(repeated("[", 16) + repeated("]", 16)).code, "type");

    json deep = 1;
    for (int i = 0; i < 100'000; ++i) deep = json::array({std::move(deep)});
    EXPECT_EQ(problemsOf(deep).at(0).code, "too-deep");
}

TEST(Hostile, DuplicateFieldsAreRefused) {
    EXPECT_EQ(onlyProblem(R"({"name":"a","remoteName":"b","name":"c"})"),
              (Problem{"/name", "duplicate-field", "The field \"name\" is there more than once"}));
    EXPECT_EQ(onlyProblem(R"({"preprocessConfig":{"zfs":{},"flash":{"gitPath":"/","gitPath":"/"}}})").pointer,
              "/preprocessConfig/flash/gitPath");
    EXPECT_EQ(onlyProblem(R"({"a":[{"b":1,"b":2}]})").pointer, "/a");
    EXPECT_TRUE(problemsOfText(R"({"name":"a","remoteName":"b","sourcePath":"/name"})").empty());
}

TEST(Hostile, StringsThatMakeRegexRecurseAreCutOffByLength) {
    const std::string longest(60'000, 'a');
    const std::vector<std::pair<std::string, std::string>> fields{{"none", "/name"},
                                                                  {"none", "/remoteName"},
                                                                  {"none", "/destinationPath"},
                                                                  {"none", "/schedule"},
                                                                  {"none", "/limits/memoryMax"},
                                                                  {"none", "/rcloneOptions/exclude"},
                                                                  {"none", "/rcloneOptions/max-size"},
                                                                  {"zfs", "/preprocessConfig/zfs/poolName"},
                                                                  {"zfs", "/preprocessConfig/zfs/snapshotName"},
                                                                  {"docker", "/preprocessConfig/docker/containerName"}};
    for (const auto& [type, pointer] : fields) {
        EXPECT_EQ(codesOf(with(minimal(type), pointer, longest)), std::vector<std::string>{pointer + " too-long"});
    }
    for (const std::string field : {"gitPath", "localCachePath"}) {
        const auto pointer = "/preprocessConfig/flash/" + field;
        const auto streamed = with(minimal("flash"), "/preprocessConfig/flash/streamDirect", false);
        EXPECT_EQ(codesOf(with(streamed, pointer, "/" + longest)), std::vector<std::string>{pointer + " too-long"});
    }
    const auto huge = json{{"name", "a"}, {"preprocessConfig", {{"zfs", {{"poolName", std::string(100'000, 'a')}}}}}};
    EXPECT_EQ(problemsOf(huge).at(0).code, "too-large");
}

TEST(Hostile, LongestAcceptedPathsDoNotExhaustTheStack) {
    const auto path = "/" + std::string(4096 - 6, 'a') + "/.git";
    EXPECT_TRUE(problemsOf(with(minimal("flash"), "/preprocessConfig/flash/gitPath", path)).empty());
}

TEST(Hostile, FieldNamesAreShownSafely) {
    json document = minimal("none");
    document[std::string(50'000, 'k')] = 1;
    document[std::string("nul\0\nforged: line", 17)] = 1;
    try {
        parseJob(document);
        FAIL();
    } catch (const InvalidJob& invalid) {
        const std::string what = invalid.what();
        EXPECT_LT(what.size(), 2000U);
        EXPECT_EQ(std::count(what.begin(), what.end(), '\n'), 1);
        EXPECT_EQ(what.find('\0'), std::string::npos);
        EXPECT_TRUE(isUtf8(what));
    }
}

TEST(Hostile, ManyProblemsAreCounted) {
    json document = minimal("none");
    for (int i = 0; i < 2000; ++i) document["k" + std::to_string(i)] = 1;
    const auto problems = problemsOf(document);
    ASSERT_EQ(problems.size(), 101U);
    EXPECT_EQ(problems.back(), (Problem{"", "too-many", "There are 1900 more problems"}));
}

TEST(Hostile, ManyProblemsHideNoWrongTypes) {
    json document = minimal("none");
    for (int i = 0; i < 2000; ++i) document["k" + std::to_string(i)] = 1;
    document["schedule"] = 5;
    document["limits"] = {{"memoryMax", true}};
    EXPECT_EQ(problemsOf(document).size(), 101U);
}

TEST(Hostile, NumbersOutOfRange) {
    const auto level = [](const std::string& number) {
        return R"({"name":"a","remoteName":"b","preprocessType":"zfs","preprocessConfig":{"zfs":{"poolName":"t","compressionLevel":)" +
               number + "}}}";
    };
    for (const auto* number :
         {"18446744073709551615", "9223372036854775808", "-9223372036854775808", "1e30", "2147483648"}) {
        EXPECT_EQ(onlyProblem(level(number)).pointer, "/preprocessConfig/zfs/compressionLevel") << number;
    }
    EXPECT_TRUE(problemsOfText(level("9")).empty());
}

TEST(Shown, IsShortAndOnOneLine) {
    EXPECT_EQ(shown("a"), "\"a\"");
    EXPECT_EQ(shown("a\nb"), "\"a\\nb\"");
    EXPECT_EQ(shown("\xff"), "\"\xEF\xBF\xBD\"");
    EXPECT_EQ(shown(std::string(65, 'a')), "\"" + std::string(64, 'a') + "…\"");
    EXPECT_EQ(shown(std::string(63, 'a') + "ä"), "\"" + std::string(63, 'a') + "…\"");
    EXPECT_EQ(shown(std::string(62, 'a') + "äb"), "\"" + std::string(62, 'a') + "ä…\"");
}

} // namespace holdfast::test
