#include "source/engine.hpp"

#include "../run_coroutine.hpp"
#include "../temporary_folder.hpp"
#include "fake_engine.hpp"
#include "source/engine_http.hpp"
#include "util/async.hpp"

#include <chrono>
#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

template<typename Expected, typename Call>
std::string failure(Call call) {
    try {
        call();
    } catch (const Expected& e) {
        return e.what();
    }
    ADD_FAILURE() << "did not fail";
    return "";
}

class EngineTest : public testing::Test {
  protected:
    [[nodiscard]] std::string socket() const { return (folder_ / "engine.sock").string(); }
    [[nodiscard]] FakeEngine answering(const std::string& reply) const {
        return FakeEngine(socket(), [reply](const std::string&) { return reply; });
    }

    TemporaryFolder folder_;
};

TEST_F(EngineTest, NobodyThereIsSaidWithTheSocket) {
    const auto absent = failure<EngineAway>([&] { runCoroutine(Engine(socket()).version()); });
    EXPECT_NE(absent.find("No container engine answers at " + socket()), absent.npos) << absent;
    { const auto gone = answering(""); }
    EXPECT_FALSE(std::filesystem::exists(socket()));
    EXPECT_THROW(runCoroutine(Engine(socket()).running()), EngineAway);
}

TEST_F(EngineTest, SocketThatAUserCouldExchangeIsRefused) {
    const auto engine = answering(httpAnswer(200, "{}"));
    const auto refusalOf = [&](const std::string& owned) {
        EXPECT_EQ(::chown(owned.c_str(), 1, 1), 0);
        const auto said = failure<Error>([&] { runCoroutine(engine.client().version()); });
        EXPECT_EQ(::chown(owned.c_str(), 0, 0), 0);
        return said;
    };
    for (const auto& owned : {folder_.path().string(), socket()}) {
        const auto said = refusalOf(owned);
        EXPECT_NE(said.find("belongs to user 1 and not to root"), said.npos) << said;
    }
    EXPECT_NO_THROW(runCoroutine(engine.client().version()));
    std::filesystem::permissions(socket(), std::filesystem::perms::all);
    EXPECT_NO_THROW(runCoroutine(engine.client().version())) << "whoever may ask does not answer";
}

TEST_F(EngineTest, ConnectionThatBreaksIsAnEngineThatIsAway) {
    for (const auto* reply : {"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Version\"", "HTTP/1.1 20"}) {
        const auto engine = answering(reply);
        EXPECT_THROW(runCoroutine(engine.client().version()), EngineAway) << reply;
    }
}

TEST_F(EngineTest, WhatIsNoEngineIsSaid) {
    const auto engine = answering("220 mail.example.org ESMTP\r\n");
    const auto said = failure<Error>([&] { runCoroutine(engine.client().version()); });
    EXPECT_NE(said.find("does not speak the API of a container engine"), said.npos) << said;
}

TEST_F(EngineTest, AnswerThatDoesNotComeIsNotWaitedForForEver) {
    FakeEngine engine(socket(), [](const std::string&) {
        std::this_thread::sleep_for(300ms);
        return httpAnswer(200, "{}");
    });
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THROW(runCoroutine(askEngine(socket(), {false, "/version"}, 50ms)), TimedOut);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 250ms);
}

TEST_F(EngineTest, AnswersThatMakeNoSenseAreErrors) {
    for (const auto* body : {"", "{", "<html>"}) {
        const auto engine = answering(httpAnswer(200, body));
        const auto said = failure<Error>([&] { runCoroutine(engine.client().running()); });
        EXPECT_NE(said.find("is not JSON"), said.npos) << said;
    }
}

TEST_F(EngineTest, AnyFieldMayBeMissingNullOrOfAnotherKind) {
    for (
        const auto* body :
        {R"({"Id": "0123", "Name": "/web"})",
         R"({"Id": "0123", "Name": "/web", "State": null, "Config": null, "HostConfig": null, "Mounts": null})",
         R"({"Id": "0123", "Name": "/web", "State": [], "Config": {"StopTimeout": "x"}, "Mounts": [null, 5, {"Type": 7}]})"}) {
        const auto engine = answering(httpAnswer(200, body));
        const auto container = runCoroutine(engine.client().container("web"));
        ASSERT_TRUE(container) << body;
        EXPECT_EQ(container->name, "web");
        EXPECT_FALSE(container->running);
        EXPECT_FALSE(container->stopTimeout);
    }
    const auto engine = answering(httpAnswer(200, R"([{"Id": "1", "Names": null}, null])"));
    EXPECT_EQ(runCoroutine(engine.client().running()).size(), 2U);
}

TEST_F(EngineTest, ContainerIsReadWhole) {
    const json said{{"Id", "0123456789abcdef"},
                    {"Name", "/web"},
                    {"State", {{"Running", true}, {"ExitCode", 137}, {"StartedAt", "a"}, {"FinishedAt", "b"}}},
                    {"Config", {{"Image", "nginx"}, {"StopTimeout", -1}}},
                    {"HostConfig", {{"AutoRemove", true}}},
                    {"Mounts",
                     {{{"Type", "volume"}, {"Name", "data"}, {"Source", "/v"}, {"Destination", "/d"}, {"RW", false}},
                      {{"Type", "bind"}, {"Source", "/srv"}, {"Destination", "/s"}}}}};
    const auto engine = answering(httpAnswer(200, said.dump()));
    const auto container = runCoroutine(engine.client().container("0123456789ab"));
    ASSERT_TRUE(container);
    EXPECT_TRUE(container->running && container->removesItself && !container->paused);
    EXPECT_EQ(container->exitCode, 137);
    EXPECT_EQ(container->stopTimeout, std::chrono::seconds(-1));
    ASSERT_EQ(container->mounts.size(), 2U);
    EXPECT_EQ(container->mounts[0].volume, "data");
    EXPECT_FALSE(container->mounts[0].writable);
    EXPECT_EQ(container->mounts[1].volume, "");
    EXPECT_TRUE(container->mounts[1].writable);
}

TEST_F(EngineTest, BeginningOfANameOrIdIsNotTheThing) {
    const auto engine = answering(httpAnswer(200, R"({"Id": "0123456789abcdef", "Name": "/webserver"})"));
    for (const auto* name : {"web", "0123", "0123456789a", "webserver2"}) {
        EXPECT_FALSE(runCoroutine(engine.client().container(name))) << name;
        EXPECT_FALSE(runCoroutine(engine.client().volume(name))) << name;
    }
}

TEST_F(EngineTest, ContainerInACrashLoopRuns) {
    const auto engine =
        answering(httpAnswer(200, R"({"Name": "/web", "State": {"Running": false, "Restarting": true}})"));
    EXPECT_TRUE(runCoroutine(engine.client().container("web"))->running);
}

TEST_F(EngineTest, ContainerThatAKilledPodmanWasStoppingRuns) {
    const auto engine =
        answering(httpAnswer(200, R"({"Name": "/web", "State": {"Status": "stopping", "Running": false}})"));
    EXPECT_TRUE(runCoroutine(engine.client().container("web"))->running);
}

TEST_F(EngineTest, WhichEngineItIs) {
    {
        const auto docker = answering(httpAnswer(200, R"({"Version": "20.10", "Components": [{"Name": "Engine"}]})"));
        EXPECT_EQ(runCoroutine(docker.client().version()).name, "Docker");
    }
    const auto podman = answering(httpAnswer(200, R"({"Version": "4.3", "Components": [{"Name": "Podman Engine"}]})"));
    const auto version = runCoroutine(podman.client().version());
    EXPECT_EQ(version.name + version.version, "Podman4.3");
}

TEST_F(EngineTest, StopThatIsDoneAlreadyIsFine) {
    EngineContainer web;
    web.id = "0123";
    web.name = "web";
    for (const int status : {204, 304, 404}) {
        auto engine = answering(httpAnswer(status));
        runCoroutine(engine.client().stop(web));
        EXPECT_EQ(engine.requests(), std::vector<std::string>{"POST /containers/0123/stop"});
    }
}

TEST_F(EngineTest, WhatFailsIsNamedWithTheEnginesWords) {
    EngineContainer web;
    web.id = "0123";
    web.name = "web";
    const auto engine =
        answering(httpAnswer(500, R"({"message": "tried to kill container, but did not receive an exit event"})"));
    const auto stop = failure<Error>([&] { runCoroutine(engine.client().stop(web)); });
    EXPECT_EQ(stop, "The container engine could not stop the container web. It said: tried to kill container, but did "
                    "not receive an exit event");
    const auto start = failure<Error>([&] { runCoroutine(engine.client().start("0123", "web")); });
    EXPECT_NE(start.find("could not start the container web again"), start.npos) << start;
}

TEST_F(EngineTest, FailureWithoutWordsHasItsStatus) {
    for (const auto* body : {"", "no json", "[]", R"({"message": null})"}) {
        const auto engine = answering(httpAnswer(503, body));
        const auto said = failure<Error>([&] { runCoroutine(engine.client().running()); });
        EXPECT_NE(said.find("HTTP status 503"), said.npos) << said;
    }
}

TEST_F(EngineTest, SocketThatTheJobNamesIsTaken) {
    EXPECT_EQ(Engine::findSocket("/run/other.sock"), "/run/other.sock");
}

} // namespace
} // namespace holdfast
