#include "run/manifest.hpp"

#include "util/error.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

Manifest someManifest() {
    Manifest m;
    m.run = std::string(32, '1');
    m.job = "nightly";
    m.machine = {"0123", "box"};
    m.source = "zfs";
    m.startedAt = 1;
    m.finishedAt = 2;
    m.stream = Manifest::Stream{"zfs-send", "zstd", 1000, "aa"};
    m.objects = {{"nightly.zfs.zst", 900, "bb"}};
    m.sourceFields = {{"dataset", "tank"}};
    return m;
}

TEST(Manifest, comesBackAsItWasWritten) {
    const auto read = parseManifest(serialize(someManifest()));
    EXPECT_EQ(read.run, someManifest().run);
    EXPECT_EQ(read.machine.id, "0123");
    EXPECT_EQ(read.machine.host, "box");
    ASSERT_TRUE(read.stream);
    EXPECT_EQ(read.stream->size, 1000U);
    EXPECT_EQ(read.stream->compression, "zstd");
    EXPECT_FALSE(read.copy);
    ASSERT_EQ(read.objects.size(), 1U);
    EXPECT_EQ(read.objects[0].sha256, "bb");
    EXPECT_EQ(read.sourceFields.at("dataset"), "tank");
}

TEST(Manifest, mayHaveTheJobThatMadeIt) {
    EXPECT_TRUE(parseManifest(serialize(someManifest())).jobDocument.is_null());
    auto m = someManifest();
    m.jobDocument = {{"name", "nightly"}};
    m.jobDocumentLacks = {"/a/b"};
    const auto read = parseManifest(serialize(m));
    EXPECT_EQ(read.jobDocument, m.jobDocument);
    EXPECT_EQ(read.jobDocumentLacks, m.jobDocumentLacks);
}

TEST(Manifest, isOfAStreamOrOfACopy) {
    auto copy = someManifest();
    copy.source = "script";
    copy.stream.reset();
    copy.copy = Manifest::Copy{"versions", 3, 4000, "md5"};
    const auto read = parseManifest(serialize(copy));
    EXPECT_FALSE(read.stream);
    ASSERT_TRUE(read.copy);
    EXPECT_EQ(read.copy->layout, "versions");
    EXPECT_EQ(read.copy->files, 3U);
    EXPECT_EQ(read.copy->bytes, 4000U);
    EXPECT_EQ(read.copy->hash, "md5");

    copy.copy.reset();
    EXPECT_THROW(parseManifest(serialize(copy)), Error);
}

TEST(Manifest, thatDisagreesWithItselfIsRefused) {
    auto other = someManifest();
    other.stream->format = "tar";
    EXPECT_THROW(parseManifest(serialize(other)), Error) << "a dataset's sandbox for an archive";
    other.source = "flash";
    EXPECT_EQ(formatOf(parseManifest(serialize(other))), "tar");
    other.source = "something";
    EXPECT_THROW(parseManifest(serialize(other)), Error);
}

TEST(Manifest, cutShortIsNeverTakenForAWholeOne) {
    const auto text = serialize(someManifest());
    for (std::size_t size = 0; size + 2 < text.size(); ++size) {
        EXPECT_THROW(parseManifest(text.substr(0, size)), Error) << size;
    }
}

TEST(Manifest, withANumberThatIsNoneIsRefused) {
    for (const char* number : {"-1", "2.77e25", "0.5"}) {
        auto json = nlohmann::json::parse(serialize(someManifest()));
        json["finishedAt"] = nlohmann::json::parse(number);
        EXPECT_THROW(parseManifest(json.dump()), Error) << number;
        json["finishedAt"] = 2;
        json["objects"][0]["size"] = nlohmann::json::parse(number);
        EXPECT_THROW(parseManifest(json.dump()), Error) << number;
    }
}

TEST(Manifest, thatIsNestedWithoutEndIsRefused) {
    auto text = serialize(someManifest());
    const std::string levels(200000, '[');
    text.insert(1, "\"tools\": " + levels + std::string(levels.size(), ']') + ", ");
    EXPECT_THROW(parseManifest(text), Error);
}

TEST(Manifest, ofAnotherVersionIsRefusedAndAnUnknownFieldIsNot) {
    auto json = nlohmann::json::parse(serialize(someManifest()));
    json["later"] = "more";
    EXPECT_NO_THROW(parseManifest(json.dump()));
    json["version"] = 2;
    EXPECT_THROW(parseManifest(json.dump()), Error);
}

TEST(Manifest, withoutRunOrObjectIsNone) {
    auto json = nlohmann::json::parse(serialize(someManifest()));
    json["objects"] = nlohmann::json::array();
    EXPECT_THROW(parseManifest(json.dump()), Error);
    json = nlohmann::json::parse(serialize(someManifest()));
    json["run"] = "x";
    EXPECT_THROW(parseManifest(json.dump()), Error);
    EXPECT_THROW(parseManifest("null"), Error);
    EXPECT_THROW(parseManifest("[]"), Error);
}

} // namespace
} // namespace holdfast
