#pragma once

#include "source/flash.hpp"
#include "util/child.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace holdfast::testing {

namespace fs = std::filesystem;

inline void await(asio::awaitable<void> work) {
    asio::io_context io;
    auto ended = asio::co_spawn(io, std::move(work), asio::use_future);
    io.run();
    ended.get();
}

template<typename T>
T await(asio::awaitable<T> work) {
    std::optional<T> result;
    const auto keep = [&]() -> asio::awaitable<void> { result.emplace(co_await std::move(work)); };
    await(keep());
    return std::move(*result);
}

/// Runs a program in `folder` to its end and gives its output; a failure is an exception with its standard error.
inline std::string run(const fs::path& folder, std::vector<std::string> argv) {
    ChildSpec spec;
    spec.argv = {"env", "--chdir=" + folder.string(), "--"};
    spec.argv.insert(spec.argv.end(), argv.begin(), argv.end());
    spec.environment = {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=Ann",
                        "GIT_AUTHOR_EMAIL=ann@test",   "GIT_COMMITTER_NAME=Ann",      "GIT_COMMITTER_EMAIL=ann@test",
                        "GIT_CONFIG_COUNT=1",          "GIT_CONFIG_KEY_0=gc.auto",    "GIT_CONFIG_VALUE_0=0"};
    const auto ended = await(runChild(spec, std::chrono::minutes(1)));
    if (!ended.status.ok()) throw Error(argv.at(0) + " " + ended.status.describe() + ": " + ended.errorTail);
    return ended.out;
}

/// A temporary place with a work tree, a ledger and a plan for a flash job.
class FlashTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "holdfast-flash-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root = fs::canonical(name);
        tree = root / "boot";
        fs::create_directories(tree);
        paths = {root / "state", root / "run", root / "etc"};
        fs::create_directories(paths.ledgers());
        plan.job.source = FlashConfig{};
        config().gitPath = (tree / ".git").string();
        newRun();
    }
    void TearDown() override {
        std::error_code ignored;
        fs::remove_all(root, ignored);
    }

    FlashConfig& config() { return std::get<FlashConfig>(plan.job.source); }

    void newRun() {
        plan.id = newId();
        LedgerHeader header;
        header.id = plan.id;
        ledger.emplace(Ledger::create(paths.ledger(plan.id), header));
    }

    void write(const std::string& name, const std::string& content) {
        fs::create_directories((tree / name).parent_path());
        std::ofstream(tree / name, std::ios::binary) << content;
    }
    void writeSparse(const std::string& name, std::uint64_t size) {
        write(name, "");
        fs::resize_file(tree / name, size);
    }
    [[nodiscard]] std::string read(const std::string& name) const { return readFile(tree / name, 1 << 20); }

    std::string git(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "git");
        return run(tree, arguments);
    }
    void makeRepository() {
        git({"init", "-q", "-b", "master"});
        write("first", "1\n");
        git({"add", "-A"});
        git({"commit", "-q", "-m", "by hand"});
    }
    void makeFlashDrive() {
        write("bzimage", "kernel");
        write("config/ident.cfg", "NAME=\"Tower\"\n");
        write("var.ini", ""); // at the root, so never in the repository
        std::ofstream(root / "var.ini") << "version=\"6\"\nNAME=\"Tower\"\nCOMMENT=\"x\"\n";
    }

    std::unique_ptr<FlashSource> source() {
        return std::make_unique<FlashSource>(plan, paths, *ledger, root / "var.ini");
    }
    std::unique_ptr<FlashSource> prepared() {
        auto made = source();
        await(made->prepare());
        return made;
    }
    /// The sentence with which prepare() refuses; empty if it does not.
    std::string refusal() {
        try {
            prepared();
        } catch (const Error& e) {
            return e.what();
        }
        return "";
    }
    /// As the run's cleanup does it.
    void undoAll() {
        for (const auto& entry : ledger->outstanding()) {
            EXPECT_TRUE(await(undoSourceEntry(entry, ledger->header())));
            ledger->released(entry.number);
        }
    }

    std::set<std::string> committedFiles() {
        std::set<std::string> files;
        std::istringstream lines(git({"ls-tree", "-r", "-z", "--name-only", "HEAD"}));
        for (std::string line; std::getline(lines, line, '\0');) files.insert(line);
        return files;
    }
    std::string head() {
        auto hash = git({"rev-parse", "HEAD"});
        hash.pop_back();
        return hash;
    }
    std::size_t commits() { return std::stoul(git({"rev-list", "--count", "HEAD"})); }

    /// Runs the producer, gives the file with its output.
    fs::path streamed(const Producer& producer) {
        const auto file = root / "stream.tar";
        const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        ChildSpec spec;
        spec.argv = producer.argv;
        spec.out = fd.get();
        spec.keep = producer.keep;
        const auto wait = [&]() -> awaitable<ExitStatus> {
            Child child(co_await asio::this_coro::executor, spec);
            co_return co_await child.wait();
        };
        const auto status = await(wait());
        EXPECT_TRUE(status.ok()) << status.describe();
        return file;
    }
    fs::path unpacked(const fs::path& archive) {
        const auto folder = root / ("unpacked-" + newId());
        fs::create_directories(folder);
        run(folder, {"tar", "--extract", "--file=" + archive.string()});
        return folder;
    }

    fs::path root, tree;
    Paths paths;
    Plan plan;
    std::optional<Ledger> ledger;
};

} // namespace holdfast::testing
