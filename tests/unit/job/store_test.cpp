#include "job/store.hpp"

#include "../temporary_folder.hpp"
#include "documents.hpp"
#include "job/document.hpp"
#include "util/file.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace holdfast::test {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json named(const std::string& name) { return with(minimal("none"), "/name", name); }

class Store : public testing::Test {
  protected:
    void put(const std::string& file, const std::string& text) {
        fs::create_directories(jobs_);
        writeFile(jobs_ / file, text);
    }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& [name, unused] : store_.jobs()) all.push_back(name);
        return all;
    }
    std::vector<std::string> files() const {
        std::vector<std::string> all;
        for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
            if (!entry.is_directory()) all.push_back(fs::relative(entry.path(), folder_.path()).string());
        }
        std::sort(all.begin(), all.end());
        return all;
    }

    TemporaryFolder folder_;
    fs::path jobs_ = folder_ / "jobs";
    JobStore store_{jobs_};
};

} // namespace

TEST_F(Store, FolderThatIsNotThereIsEmpty) {
    store_.reload();
    EXPECT_TRUE(store_.jobs().empty());
    EXPECT_TRUE(store_.broken().empty());
    EXPECT_FALSE(fs::exists(jobs_));
}

TEST_F(Store, FileThatOthersCanWriteIsBroken) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root has something to lend";
    for (const char* name : {"open", "given", "fine"}) {
        put(std::string(name) + ".json", named(name).dump());
    }
    ASSERT_EQ(::chmod((jobs_ / "open.json").c_str(), 0666), 0);
    ASSERT_EQ(::chown((jobs_ / "given.json").c_str(), 12345, 12345), 0);
    store_.reload();
    EXPECT_EQ(names(), std::vector<std::string>{"fine"});
    ASSERT_EQ(store_.broken().size(), 2U);
    EXPECT_NE(store_.broken()[0].why.find("belongs to user 12345"), std::string::npos);
    EXPECT_NE(store_.broken()[1].why.find("may be written to by others than root (mode 0666)"), std::string::npos);
}

TEST_F(Store, AddWritesAFileThatLoads) {
    const auto& added = store_.add(parseJob(named("tank")));
    EXPECT_EQ(added.name, "tank");
    EXPECT_EQ(files(), std::vector<std::string>{"jobs/tank.json"});
    EXPECT_EQ(readFile(jobs_ / "tank.json", 10'000),
              "{\n  \"name\": \"tank\",\n  \"preprocessType\": \"none\",\n  \"remoteName\": \"b2\",\n  \"sourcePath\": "
              "\"/srv/data\"\n}\n");
    struct stat info {};
    ASSERT_EQ(::stat((jobs_ / "tank.json").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);

    JobStore fresh(jobs_);
    fresh.reload();
    EXPECT_EQ(fresh.get("tank").document(), named("tank"));
}

TEST_F(Store, AddRefusesANameThatIsTaken) {
    store_.add(parseJob(named("tank")));
    EXPECT_THROW(store_.add(parseJob(named("tank"))), JobExists);
    put("broken.json", "{");
    store_.reload();
    EXPECT_THROW(store_.add(parseJob(named("broken"))), JobExists);
    put("later.json", named("later").dump());
    EXPECT_THROW(store_.add(parseJob(named("later"))), JobExists);
    fs::create_symlink("nowhere", jobs_ / "link.json");
    EXPECT_THROW(store_.add(parseJob(named("link"))), JobExists);
    EXPECT_EQ(readFile(jobs_ / "broken.json", 100), "{");
}

TEST_F(Store, ReplaceAndRemove) {
    store_.add(parseJob(named("tank")));
    store_.replace(parseJob(with(named("tank"), "/enabled", false)));
    EXPECT_FALSE(store_.get("tank").enabled);
    EXPECT_EQ(json::parse(readFile(jobs_ / "tank.json", 1000))["enabled"], false);
    EXPECT_EQ(files().size(), 1U);

    store_.remove("tank");
    EXPECT_TRUE(files().empty());
    EXPECT_THROW((void)store_.get("tank"), NoSuchJob);
    EXPECT_THROW(store_.remove("tank"), NoSuchJob);
    EXPECT_THROW(store_.replace(parseJob(named("tank"))), NoSuchJob);
    EXPECT_TRUE(files().empty());
}

TEST_F(Store, RemoveTakesTheNameOfTheStoredJobItself) {
    const auto& job = store_.add(parseJob(named("tank")));
    store_.remove(job.name);
    EXPECT_TRUE(store_.jobs().empty());
}

TEST_F(Store, FailedWriteChangesNothing) {
    writeFile(jobs_, "a file where the folder should be");
    EXPECT_THROW(store_.add(parseJob(named("tank"))), std::system_error);
    EXPECT_TRUE(store_.jobs().empty());
    EXPECT_EQ(files(), std::vector<std::string>{"jobs"});
}

TEST_F(Store, BrokenFilesKeepNoOtherFromLoading) {
    put("good.json", named("good").dump());
    put("syntax.json", "{");
    put("empty.json", "");
    put("other.json", named("name").dump());
    put("nameless.json", without(named("x"), "/name").dump());
    put("wrong.json", with(with(named("wrong"), "/bogus", 1), "/enabled", "no").dump());
    put("large.json", std::string(maxDocumentSize + 1, ' '));
    put("zeros.json", std::string(4096, '\0'));
    store_.reload();
    EXPECT_EQ(names(), std::vector<std::string>{"good"});

    std::map<std::string, std::string> why;
    for (const auto& broken : store_.broken()) why[broken.file] = broken.why;
    EXPECT_EQ(why.size(), 7U);
    EXPECT_EQ(why["other.json"],
              "The file is named \"other.json\", but its job is named name: the file of this job must be name.json.");
    EXPECT_EQ(why["nameless.json"], "/name: name is required");
    EXPECT_NE(why["wrong.json"].find("/enabled: enabled must be a boolean value"), std::string::npos);
    EXPECT_NE(why["wrong.json"].find("/bogus: There is no field \"bogus\" here"), std::string::npos);
    EXPECT_NE(why["syntax.json"].find("line 1, column 2"), std::string::npos);
    EXPECT_NE(why["large.json"].find("65536 bytes"), std::string::npos);
    try {
        (void)store_.get("wrong");
        FAIL();
    } catch (const NoSuchJob& error) {
        EXPECT_NE(std::string(error.what()).find("could not be loaded"), std::string::npos);
    }
}

TEST_F(Store, WhatIsNoFileIsReportedAndDoesNotHang) {
    put("good.json", named("good").dump());
    fs::create_directory(jobs_ / "folder.json");
    ASSERT_EQ(::mkfifo((jobs_ / "fifo.json").c_str(), 0600), 0);
    fs::create_symlink("loop.json", jobs_ / "loop.json");
    fs::create_symlink("nowhere", jobs_ / "dangling.json");
    fs::create_symlink("/dev/zero", jobs_ / "device.json");
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    (jobs_ / "socket.json").string().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(socket);
    store_.reload();
    EXPECT_EQ(names(), std::vector<std::string>{"good"});
    EXPECT_EQ(store_.broken().size(), 6U);
    for (const auto& broken : store_.broken()) EXPECT_FALSE(broken.why.empty()) << broken.file;
}

TEST_F(Store, LinksToJobsElsewhereAreRead) {
    writeFile(folder_ / "tank.json", named("tank").dump());
    fs::create_directories(jobs_);
    fs::create_symlink("../tank.json", jobs_ / "tank.json");
    store_.reload();
    EXPECT_EQ(names(), std::vector<std::string>{"tank"});

    store_.replace(parseJob(with(named("tank"), "/enabled", false)));
    EXPECT_EQ(json::parse(readFile(folder_ / "tank.json", 1000)), named("tank")) << "written outside of the folder";
    EXPECT_FALSE(fs::is_symlink(jobs_ / "tank.json"));
}

TEST_F(Store, OtherFilesAreIgnored) {
    put("good.json", named("good").dump());
    for (const auto* file :
         {".good.json.a1B2c3", ".hidden.json", "good.json~", "README", "good.json.dpkg-new", "#good.json#"}) {
        put(file, "{");
    }
    store_.reload();
    EXPECT_EQ(names(), std::vector<std::string>{"good"});
    EXPECT_TRUE(store_.broken().empty());
}

TEST_F(Store, ReloadSeesChanges) {
    put("a.json", named("a").dump());
    store_.reload();
    put("a.json", "{");
    put("b.json", named("b").dump());
    store_.reload();
    EXPECT_EQ(names(), std::vector<std::string>{"b"});
    EXPECT_EQ(store_.broken().size(), 1U);
    put("a.json", named("a").dump());
    store_.reload();
    EXPECT_EQ(names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(store_.broken().empty());
}

TEST_F(Store, FileNamesThatAreNotUtf8AreShownAsSuch) {
    put("a\xff.json", "{");
    store_.reload();
    ASSERT_EQ(store_.broken().size(), 1U);
    EXPECT_EQ(store_.broken()[0].file, "a\\xff.json");
    EXPECT_NO_THROW((void)json(store_.broken()[0].why).dump());
}

TEST_F(Store, WhatIsAddedCanAlwaysBeReadBack) {
    const std::vector<std::string> rules(256, std::string(78, 'x'));
    const auto job = parseJob(
        with(named("wide"), "/rcloneOptions", json{{"exclude", rules}, {"include", rules}, {"filter", rules}}));
    ASSERT_GT(job.document().dump(2).size(), maxDocumentSize);
    store_.add(job);
    JobStore fresh(jobs_);
    fresh.reload();
    EXPECT_EQ(fresh.get("wide").document(), job.document());
}

TEST_F(Store, MergedIsCheckedWhole) {
    store_.add(parseJob(with(minimal("flash"), "/name", "f")));
    const auto changed =
        store_.merged("f", R"({"enabled": false, "preprocessConfig": {"flash": {"compressionLevel": 3}}})");
    EXPECT_FALSE(changed.enabled);
    EXPECT_EQ(changed.compressionLevel(), 3);
    EXPECT_TRUE(store_.get("f").enabled) << "merged() changes nothing by itself";

    store_.replace(changed);
    const auto back =
        store_.merged("f", R"({"enabled": null, "preprocessConfig": {"flash": {"compressionLevel": null}}})");
    EXPECT_EQ(back.document(), with(minimal("flash"), "/name", "f"));
}

TEST_F(Store, MergedRefuses) {
    store_.add(parseJob(named("a")));
    const auto problem = [&](const std::string& patch) {
        try {
            (void)store_.merged("a", patch);
            return Problem{};
        } catch (const InvalidJob& invalid) {
            return invalid.problems().at(0);
        }
    };
    EXPECT_EQ(problem("[]").code, "type");
    EXPECT_EQ(problem("null").code, "type");
    EXPECT_EQ(problem("{").code, "json");
    EXPECT_EQ(problem(std::string(10'000'000, ' ')).code, "too-large");
    EXPECT_EQ(problem(std::string(50'000, '[')).code, "too-deep");
    EXPECT_EQ(problem(R"({"name": "b"})").code, "name-changed");
    EXPECT_EQ(problem(R"({"name": null})").code, "required");
    EXPECT_EQ(problem(R"({"bogus": 1})").code, "unknown-field");
    EXPECT_EQ(problem(R"({"preprocessType": "zfs"})").pointer, "/preprocessConfig");
    EXPECT_THROW((void)store_.merged("b", "{}"), NoSuchJob);
    EXPECT_EQ(store_.get("a").document(), named("a"));
}

} // namespace holdfast::test
