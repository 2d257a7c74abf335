#include "unit/probe.hpp"

#include "../fake_systemd.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <chrono>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

using namespace holdfast;
using nlohmann::json;

namespace {

class ProbeTest : public testing::Test {
  protected:
    ProbeTest() { paths.runtime = std::filesystem::temp_directory_path() / ("holdfast-probe-" + newId()); }
    ~ProbeTest() override { std::filesystem::remove_all(paths.runtime); }

    /// The unit's process: answers and ends.
    void answerWith(const std::string& text) {
        systemd.onStart = [this, text](const std::string& unit) {
            const std::string id = unit.substr(15, 32);
            seen = json::parse(readFile(paths.probe(id) / "request.json", 10'000));
            if (!text.empty()) replaceFile(paths.probe(id) / "answer.json", text, Durability::Volatile);
            systemd.end(unit);
        };
    }
    json ask(json request) {
        auto future = asio::co_spawn(io, prober.ask(std::move(request)), asio::use_future);
        io.restart();
        io.run();
        return future.get();
    }
    std::string errorOf(json request) {
        try {
            ask(std::move(request));
        } catch (const Error& e) {
            return e.what();
        }
        return "no error";
    }
    /// Goes on until it is so, ten seconds at most.
    template<typename Condition>
    void until(Condition isSo) {
        for (int turn = 0; turn < 1000 && !isSo(); ++turn) io.run_for(std::chrono::milliseconds(10));
    }
    bool leftNothing() { return std::filesystem::is_empty(paths.runtime / "probes"); }

    asio::io_context io;
    Paths paths;
    test::FakeSystemd systemd;
    Prober prober{paths, systemd};
    json seen;
};

} // namespace

TEST_F(ProbeTest, AsksAndAnswers) {
    answerWith(R"({"remotes": [["b2", "b2"]]})");
    const json request{{"ask", "remotes"}, {"rcloneConfig", "/etc/rclone.conf"}};
    EXPECT_EQ(ask(request), json::parse(R"({"remotes": [["b2", "b2"]]})"));
    EXPECT_EQ(seen, request);
    EXPECT_TRUE(leftNothing());
}

TEST_F(ProbeTest, AnErrorIsThrown) {
    answerWith(R"({"error": "There is no such remote."})");
    EXPECT_EQ(errorOf({{"ask", "remotes"}}), "There is no such remote.");
    EXPECT_TRUE(leftNothing());
}

TEST_F(ProbeTest, AReportMayHaveAnErrorFieldAmongOthers) {
    answerWith(R"({"type": "s3", "error": "It is read-only."})");
    EXPECT_EQ(ask({{"ask", "remote"}}).at("error"), "It is read-only.");
}

TEST_F(ProbeTest, NoAnswerIsAnError) {
    answerWith("");
    EXPECT_TRUE(errorOf({{"ask", "remotes"}}).starts_with("The probe ended without an answer;"));
    answerWith("[1]");
    EXPECT_EQ(errorOf({{"ask", "remotes"}}), "The probe's answer is not a JSON object.");
    EXPECT_TRUE(leftNothing());
}

TEST_F(ProbeTest, ARefusedUnitIsAnError) {
    systemd.refused["holdfast-probe-"] = "systemd says no.";
    EXPECT_EQ(errorOf({{"ask", "remotes"}}), "systemd says no.");
    EXPECT_TRUE(leftNothing());
}

TEST_F(ProbeTest, OnlySoManyAtOnce) {
    systemd.onStart = nullptr; // they run on
    std::vector<std::future<json>> open;
    for (std::size_t i = 0; i < Prober::maxOpen; ++i) {
        open.push_back(asio::co_spawn(io, prober.ask({{"ask", "remotes"}}), asio::use_future));
    }
    until([&] { return systemd.live.size() == Prober::maxOpen; });
    ASSERT_EQ(systemd.live.size(), Prober::maxOpen);
    auto tooMany = asio::co_spawn(io, prober.ask({{"ask", "remotes"}}), asio::use_future);
    until([&] { return tooMany.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    EXPECT_THROW(tooMany.get(), Error);

    systemd.live.clear();
    io.run();
    for (auto& one : open) EXPECT_THROW(one.get(), Error); // no answer
    answerWith("{}");
    EXPECT_EQ(ask({{"ask", "remotes"}}), json::object());
}
