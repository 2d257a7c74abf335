#include "source/docker.hpp"

#include "../run_coroutine.hpp"
#include "../temporary_folder.hpp"
#include "fake_engine.hpp"
#include "source/docker_tar.hpp"
#include "source/engine_http.hpp"
#include "source/kinds.hpp"
#include "source/mount_overlap.hpp"
#include "source/stop_list.hpp"
#include "util/async.hpp"
#include "util/child.hpp"
#include "util/file.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

template<typename Call>
std::string errorOf(Call call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    }
    ADD_FAILURE() << "did not fail";
    return "";
}

/// An engine whose containers do as they are told, unless a test says otherwise.
class Docker : public testing::Test {
  protected:
    struct Faked {
        bool running = true;
        bool paused = false;
        int starts = 1;
        std::string finishedAt = "2026-11-23T12:00:00.5Z";
    };

    Docker() : ledger_(Ledger::create(folder_ / "ledger", LedgerHeader())) {
        fs::create_directory(folder_ / "data");
        std::ofstream(folder_ / "data/file") << "content";
        containers_["web"] = {};
        containers_["db"] = {};
    }

    [[nodiscard]] std::string socket() const { return (folder_ / "engine.sock").string(); }

    std::string volumeOf(const std::string& name) { return volumes_.contains(name) ? volumes_[name] : "data"; }

    json inspect(const std::string& name) {
        const auto& faked = containers_.at(name);
        return {{"Id", name},
                {"Name", "/" + name},
                {"State",
                 {{"Running", faked.running},
                  {"Paused", faked.paused},
                  {"StartedAt", std::to_string(faked.starts)},
                  {"FinishedAt", faked.finishedAt}}},
                {"Config", {{"Labels", labels_[name]}}},
                {"HostConfig", modes_[name]},
                {"Mounts", {{{"Type", "volume"}, {"Name", volumeOf(name)}, {"RW", true}}}}};
    }

    std::string script(const std::string& request) {
        if (odd_) {
            if (auto reply = odd_(request)) return *reply;
        }
        if (request == "GET /version") return httpAnswer(200, R"({"Version": "1"})");
        if (request == "GET /volumes/data") {
            return httpAnswer(
                200, json{{"Name", "data"}, {"Driver", "local"}, {"Mountpoint", (folder_ / "data").string()}}.dump());
        }
        if (request == "GET /containers/json") {
            auto list = json::array();
            for (const auto& [name, faked] : containers_) {
                if (!faked.running) continue;
                list.push_back({{"Id", name}, {"Names", {"/" + name}}, {"Mounts", inspect(name)["Mounts"]}});
            }
            return httpAnswer(200, list.dump());
        }
        const auto begin = request.find("/containers/") + 12;
        const auto name = request.substr(begin, request.find('/', begin) - begin);
        if (!containers_.contains(name)) return httpAnswer(404, R"({"message": "no such container"})");
        if (request.ends_with("/json")) return httpAnswer(200, inspect(name).dump());
        auto& faked = containers_[name];
        if (request.ends_with("/start") && !faked.running) ++faked.starts;
        faked.running = request.ends_with("/start");
        return httpAnswer(204);
    }

    FakeEngine& engine() {
        if (!engine_) engine_.emplace(socket(), [this](const std::string& request) { return script(request); });
        return *engine_;
    }

    [[nodiscard]] EngineContainer container(const std::string& name) {
        return *runCoroutine(engine().client().container(name + ""));
    }

    DockerSource& source(Strings names = {"web", "db"}) {
        engine();
        plan_.job.source = DockerConfig{std::move(names), {}, socket()};
        source_.emplace(plan_, ledger_);
        return *source_;
    }

    [[nodiscard]] Strings outstanding() const {
        Strings names;
        for (const auto& entry : ledger_.outstanding()) {
            EXPECT_EQ(entry.kind, kinds::container);
            EXPECT_EQ(entry.onFailure, OnFailure::Undo) << "a container never stays stopped on purpose";
            names.push_back(entry.what.at("name").get<std::string>() + (entry.what.contains("finishedAt") ? "" : "?"));
        }
        return names;
    }

    json entry(const std::string& name, std::optional<std::string> finishedAt) {
        json what{{"engine", socket()}, {"id", name}, {"name", name}};
        if (finishedAt) what["finishedAt"] = *finishedAt;
        return what;
    }

    TemporaryFolder folder_;
    Ledger ledger_;
    Plan plan_;
    std::map<std::string, Faked> containers_;
    std::map<std::string, json> modes_; ///< HostConfig, of those that have one
    std::map<std::string, json> labels_;
    std::map<std::string, std::string> volumes_; ///< of those that mount another one than "data"
    std::function<std::optional<std::string>(const std::string&)> odd_;
    std::optional<DockerSource> source_;
    std::optional<FakeEngine> engine_;
};

TEST_F(Docker, StopsInOrderAndStartsInTheOppositeOne) {
    auto& docker = source();
    runCoroutine(docker.prepare());
    EXPECT_EQ(outstanding(), (Strings{"db", "web"}));
    runCoroutine(docker.doneReading());
    EXPECT_EQ(outstanding(), Strings{});
    EXPECT_EQ(engine().orders(), (Strings{"POST /containers/web/stop", "POST /containers/db/stop",
                                          "POST /containers/db/start", "POST /containers/web/start"}));
}

TEST_F(Docker, LedgerKnowsAContainerBeforeItIsToldToStop) {
    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/stop") return std::nullopt;
        const auto text = readFile(folder_ / "ledger", 1 << 20);
        EXPECT_NE(text.find(R"("name":"db")"), text.npos) << text;
        return std::nullopt;
    };
    runCoroutine(source().prepare());
}

TEST_F(Docker, ContainerThatDoesNotStopIsNamedAndTheOthersStayInTheLedger) {
    odd_ = [](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/stop") return std::nullopt;
        return httpAnswer(500, R"({"message": "it hangs"})");
    };
    const auto said = errorOf([&] { runCoroutine(source().prepare()); });
    EXPECT_EQ(said, "The container engine could not stop the container db. It said: it hangs");
    EXPECT_EQ(outstanding(), (Strings{"db?", "web"}));
}

TEST_F(Docker, ContainerThatIsStartedAgainAtOnceIsNamed) {
    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/stop") return std::nullopt;
        ++containers_["db"].starts;
        return httpAnswer(204);
    };
    const auto said = errorOf([&] { runCoroutine(source().prepare()); });
    EXPECT_NE(said.find("The container db was started again as soon as it had stopped"), said.npos) << said;
    EXPECT_EQ(outstanding(), (Strings{"db?", "web"}));
}

TEST_F(Docker, ContainerThatStopsALittleLaterIsWaitedFor) {
    int asked = 0;
    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request == "POST /containers/db/stop") return httpAnswer(204);
        if (request == "GET /containers/db/json" && ++asked == 4) containers_["db"].running = false;
        return std::nullopt;
    };
    runCoroutine(source().prepare());
    EXPECT_EQ(outstanding(), (Strings{"db", "web"}));
}

TEST_F(Docker, ContainerThatDoesNotStartIsNamedAndKeepsNoOtherDown) {
    odd_ = [](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/start") return std::nullopt;
        return httpAnswer(500, R"({"message": "no such file"})");
    };
    auto& docker = source();
    runCoroutine(docker.prepare());
    const auto said = errorOf([&] { runCoroutine(docker.doneReading()); });
    EXPECT_EQ(said, "The container engine could not start the container db again. It said: no such file");
    EXPECT_EQ(outstanding(), Strings{"db"});
    EXPECT_TRUE(containers_["web"].running);
}

TEST_F(Docker, ContainerThatWasStartedMeanwhileSpoilsTheBackup) {
    auto& docker = source();
    runCoroutine(docker.prepare());
    containers_["db"].running = true;
    const auto said = errorOf([&] { runCoroutine(docker.doneReading()); });
    EXPECT_NE(said.find("Somebody started db while the volumes were read"), said.npos) << said;
    EXPECT_EQ(outstanding(), Strings{});
    EXPECT_TRUE(containers_["web"].running);
}

TEST_F(Docker, ContainerThatHasRunMeanwhileSpoilsTheBackupAndIsLeftAsItIs) {
    auto& docker = source();
    runCoroutine(docker.prepare());
    ++containers_["db"].starts;
    const auto said = errorOf([&] { runCoroutine(docker.doneReading()); });
    EXPECT_NE(said.find("Somebody started db while the volumes were read"), said.npos) << said;
    EXPECT_EQ(outstanding(), Strings{});
    EXPECT_FALSE(containers_["db"].running);
    EXPECT_TRUE(containers_["web"].running);
}

TEST_F(Docker, EngineThatDiesWhenItHasStartedAContainerIsNoSomebody) {
    auto& docker = source();
    runCoroutine(docker.prepare());
    bool died = false;
    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/start" || std::exchange(died, true)) return std::nullopt;
        containers_["db"].running = true;
        ++containers_["db"].starts;
        return "";
    };
    runCoroutine(docker.doneReading());
    EXPECT_EQ(outstanding(), Strings{});
}

TEST_F(Docker, EngineThatComesBackIsWaitedFor) {
    auto& docker = source();
    runCoroutine(docker.prepare());
    int away = 3;
    odd_ = [&](const std::string&) -> std::optional<std::string> {
        if (away-- > 0) return "";
        return std::nullopt;
    };
    runCoroutine(docker.doneReading());
    EXPECT_TRUE(containers_["db"].running && containers_["web"].running);
    EXPECT_EQ(outstanding(), Strings{});
}

TEST_F(Docker, FolderThatIsTakenAwayWhenTheContainersStopIsNotRead) {
    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/stop") return std::nullopt;
        fs::rename(folder_ / "data", folder_ / "away");
        fs::create_directory(folder_ / "data");
        return std::nullopt;
    };
    const auto said = errorOf([&] { runCoroutine(source().prepare()); });
    EXPECT_NE(said.find("The volume data cannot be read"), said.npos) << said;
}

TEST_F(Docker, NameThatIsThereTwiceIsOneContainer) {
    auto& docker = source({"db", "db"});
    runCoroutine(docker.prepare());
    EXPECT_EQ(engine().orders(), (Strings{"POST /containers/db/stop", "POST /containers/web/stop"}));
    EXPECT_EQ(docker.manifest()["containers"].size(), 1U);
}

// --- undo ------------------------------------------------------------------------------------------------------------

TEST_F(Docker, UndoStartsWhatTheRunHasStopped) {
    containers_["db"].running = false;
    engine();
    runCoroutine(undoStop(entry("db", containers_["db"].finishedAt)));
    runCoroutine(undoStop(entry("db", containers_["db"].finishedAt)));
    EXPECT_EQ(engine().orders(), Strings{"POST /containers/db/start"});
}

TEST_F(Docker, UndoLeavesWhatIsNotTheRuns) {
    engine();
    runCoroutine(undoStop(entry("removed", "2026-11-23T12:00:00Z")));
    runCoroutine(undoStop(entry("removed", std::nullopt)));
    runCoroutine(undoStop(entry("db", "2026-11-23T12:00:00Z")));
    containers_["db"] = {.running = false, .finishedAt = "2026-11-23T12:00:02.1Z"};
    runCoroutine(undoStop(entry("db", "2026-11-23T12:00:00.9Z"))); // somebody has started and stopped it since
    EXPECT_EQ(engine().orders(), Strings{});
}

TEST_F(Docker, UndoDoubtsOnlyTimesThatItUnderstands) {
    containers_["db"].running = false;
    engine();
    for (const auto* now : {"2026-11-23T12:00:00.91Z", "0001-01-01T00:00:00Z", "2026-11-23T14:00:05+02:00", ""}) {
        containers_["db"] = {.running = false, .finishedAt = now};
        runCoroutine(undoStop(entry("db", "2026-11-23T12:00:00.9Z")));
        EXPECT_TRUE(containers_["db"].running) << now;
    }
}

TEST_F(Docker, UndoOfAStopThatMayStillBeUnderWayWaitsForItAndStarts) {
    engine();
    runCoroutine(undoStop(entry("db", std::nullopt)));
    EXPECT_EQ(engine().orders(), (Strings{"POST /containers/db/stop", "POST /containers/db/start"}));
    EXPECT_TRUE(containers_["db"].running);
    containers_["web"].running = false;
    runCoroutine(undoStop(entry("web", std::nullopt)));
    EXPECT_TRUE(containers_["web"].running);
}

TEST_F(Docker, UndoThatFailsNamesTheContainer) {
    containers_["db"].running = false;
    odd_ = [](const std::string& request) -> std::optional<std::string> {
        if (!request.starts_with("POST")) return std::nullopt;
        return httpAnswer(409, R"({"message": "marked for removal"})");
    };
    engine();
    const auto said = errorOf([&] { runCoroutine(undoStop(entry("db", std::nullopt))); });
    EXPECT_NE(said.find("could not start the container db again. It said: marked for removal"), said.npos) << said;
}

// --- volumes ---------------------------------------------------------------------------------------------------------

TEST_F(Docker, VolumeIsReadWhereItsFilesLieWhetherItIsUsedOrNot) {
    const auto data = (folder_ / "data").string();
    EXPECT_EQ(locateVolume({"v", "local", data, {}}).folder, data);
    EXPECT_EQ(locateVolume({"v", "local", data + "/", {{"o", "size=100m"}}}).folder, data);
    EXPECT_EQ(locateVolume({"v", "local", "/nowhere", {{"type", "none"}, {"o", "ro,bind"}, {"device", data}}}).folder,
              data);
    EXPECT_EQ(locateVolume({"v", "local-persist", data, {}}).folder, data);
    fs::create_directory_symlink("data", folder_ / "link");
    const auto link = (folder_ / "link").string();
    EXPECT_EQ(locateVolume({"v", "local", "", {{"o", "bind"}, {"device", link}}}).folder, data);
}

TEST_F(Docker, VolumeThatTheEngineMountsOnDemandIsRefused) {
    fs::create_directory(folder_ / "empty");
    const auto empty = (folder_ / "empty").string();
    const auto data = (folder_ / "data").string();
    using Options = std::map<std::string, std::string>;
    const std::vector<EngineVolume> volumes{
        {"v", "local", data, Options{{"type", "nfs"}, {"o", "addr=1.2.3.4"}, {"device", ":/export"}}},
        {"v", "local", data, Options{{"type", "cifs"}, {"o", "rebindx,nobind"}, {"device", "/x"}}},
        {"v", "local", data, Options{{"o", "bind"}, {"device", "relative"}}},
        {"v", "local", "", {}},
        {"v", "local", data + "/file", {}},
        {"v", "sshfs", empty, {}},
        {"v", "sshfs", "", {}},
        {"v", "sshfs", "/nowhere", {}},
    };
    for (const auto& volume : volumes) {
        const auto said = errorOf([&] { locateVolume(volume); });
        EXPECT_NE(said.find("The volume v cannot be read"), said.npos) << said;
    }
}

TEST_F(Docker, WritersAreThoseThatMayWriteNow) {
    fs::create_directory(folder_ / "other");
    fs::create_directory(folder_ / "data/sub");
    fs::create_directory_symlink(folder_ / "data", folder_ / "link");
    const std::vector<VolumeToRead> volumes{{"data", "local", folder_ / "data", 0, 0}};
    const auto path = [&](const char* name) { return (folder_ / name).string(); };
    const auto isWriter = [&](EngineMount mount, bool paused = false) {
        std::vector<EngineListed> listed{{"id", "name", 0, paused, {std::move(mount)}}};
        return runCoroutine(writersOf(engine().client(), volumes, listed)).size() == 1;
    };
    EXPECT_TRUE(isWriter({"volume", "data", "", "", true}));
    EXPECT_FALSE(isWriter({"volume", "data", "", "", false}));
    EXPECT_FALSE(isWriter({"volume", "data", "", "", true}, true));
    EXPECT_FALSE(isWriter({"volume", "other", path("other"), "", true}));
    EXPECT_FALSE(isWriter({"bind", "", path("other"), "", true}));
    EXPECT_TRUE(isWriter({"bind", "", path("data"), "", true}));
    EXPECT_TRUE(isWriter({"bind", "", path("link/sub"), "", true})) << "a part of it";
    EXPECT_TRUE(isWriter({"bind", "", path("data/file"), "", true}));
    EXPECT_TRUE(isWriter({"bind", "", path("."), "", true})) << "what it lies in";
    EXPECT_FALSE(isWriter({"bind", "", path("."), "", false}));

    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request != "GET /volumes/twin") return std::nullopt;
        return httpAnswer(200, json{{"Name", "twin"}, {"Options", {{"device", path("data/sub")}}}}.dump());
    };
    EXPECT_TRUE(isWriter({"volume", "twin", path("other"), "", true})) << "another volume of the same device";
}

TEST_F(Docker, ViewersDoNotIncludeWhoSeesWhatAVolumeLiesIn) {
    const std::vector<VolumeToRead> volumes{{"data", "local", folder_ / "data", 0, 0}};
    const auto isViewer = [&](EngineMount mount) {
        std::vector<EngineListed> listed{{"id", "name", 0, true, {std::move(mount)}}};
        return runCoroutine(viewersOf(engine().client(), volumes, listed)).size() == 1;
    };
    EXPECT_TRUE(isViewer({"volume", "data", "", "", false}));
    EXPECT_TRUE(isViewer({"bind", "", (folder_ / "data").string(), "", false}));
    EXPECT_FALSE(isViewer({"bind", "", (folder_ / ".").string(), "", false}));
}

// --- who goes with whom
// -------------------------------------------------------------------------------------------------

EngineContainer called(const std::string& name, Strings sharesWith = {}, Strings linkedTo = {}) {
    EngineContainer container;
    container.id = container.name = name;
    container.running = true;
    container.sharesWith = std::move(sharesWith);
    container.linkedTo = std::move(linkedTo);
    return container;
}

Strings namesOf(const std::vector<EngineContainer>& containers) {
    Strings names;
    for (const auto& one : containers) names.push_back(one.name);
    return names;
}

TEST(StopList, StandsInOrderOfNeed) {
    EXPECT_EQ(namesOf(inOrderOfNeed({called("b"), called("a")})), (Strings{"b", "a"}));
    EXPECT_EQ(namesOf(inOrderOfNeed({called("vpn"), called("app", {"vpn"})})), (Strings{"app", "vpn"}));
    EXPECT_EQ(namesOf(inOrderOfNeed({called("db"), called("vpn"), called("web", {}, {"db"}), called("app", {"vpn"})})),
              (Strings{"web", "db", "app", "vpn"}));
    EXPECT_EQ(namesOf(inOrderOfNeed({called("x", {"y"}), called("y", {"x"})})), (Strings{"x", "y"})) << "a circle";
}

TEST_F(Docker, WhoSharesANamespaceIsStoppedFirstAndStartedLast) {
    modes_["web"] = {{"NetworkMode", "container:db"}};
    containers_["far"] = {};
    modes_["far"] = {{"PidMode", "container:web"}};
    containers_["other"] = {};
    modes_["other"] = {{"NetworkMode", "bridge"}};
    auto& docker = source({"db"});
    volumes_["web"] = volumes_["far"] = volumes_["other"] = "none";
    runCoroutine(docker.prepare());
    runCoroutine(docker.doneReading());
    EXPECT_EQ(engine().orders(),
              (Strings{"POST /containers/far/stop", "POST /containers/web/stop", "POST /containers/db/stop",
                       "POST /containers/db/start", "POST /containers/web/start", "POST /containers/far/start"}));
}

TEST_F(Docker, ContainerThatCannotStartYetIsTriedAgain) {
    odd_ = [&](const std::string& request) -> std::optional<std::string> {
        if (request != "POST /containers/db/start" || containers_["web"].running) return std::nullopt;
        return httpAnswer(409, R"({"message": "web does not run"})");
    };
    auto& docker = source();
    runCoroutine(docker.prepare());
    runCoroutine(docker.doneReading());
    EXPECT_TRUE(containers_["db"].running && containers_["web"].running);
    EXPECT_EQ(outstanding(), Strings{});
}

TEST_F(Docker, PausedContainerInANamespaceOfOneToStopIsRefused) {
    modes_["web"] = {{"NetworkMode", "container:db"}};
    containers_["web"].paused = true;
    volumes_["web"] = "none";
    const auto said = errorOf([&] { runCoroutine(source({"db"}).prepare()); });
    EXPECT_NE(said.find("The container web is paused and lives in a namespace of db"), said.npos) << said;
    EXPECT_EQ(engine().orders(), Strings{});
}

TEST_F(Docker, ContainerThatSomebodyElseStartsAndStopsIsRefused) {
    for (const auto& [label, name] :
         {std::pair("com.docker.swarm.task.id", "Docker Swarm"), std::pair("io.kubernetes.pod.name", "Kubernetes")}) {
        labels_["db"] = {{label, "x"}};
        const auto said = errorOf([&] { runCoroutine(source().prepare()); });
        EXPECT_NE(said.find(fmt::format("The container db belongs to {}", name)), said.npos) << said;
    }
    labels_["db"] = {{"com.docker.compose.project", "x"}, {"PODMAN_SYSTEMD_UNIT", "no-such-unit.service"}};
    runCoroutine(source().prepare());
    EXPECT_EQ(engine().orders().size(), 2U) << "Compose starts nothing by itself, nor does a unit that is not active";
}

// --- tar -------------------------------------------------------------------------------------------------------------

std::string run(Strings argv, std::string input = {}) {
    ChildSpec spec;
    spec.argv = std::move(argv);
    const auto output = runCoroutine(runChild(spec, 30s, std::move(input)));
    EXPECT_TRUE(output.status.ok()) << output.errorTail;
    return output.out;
}

TEST_F(Docker, VolumesOfAnyPathLieUnderTheirNames) {
    std::vector<VolumeToRead> volumes;
    for (const auto* path : {"a,b;c", "a.b[c]$^*\\d", "aXb[c]$^*\\d", "volumes/one", "with space\n"}) {
        const auto folder = folder_ / path;
        fs::create_directories(folder / "sub");
        std::ofstream(folder / "sub/file") << path;
        fs::create_hard_link(folder / "sub/file", folder / "hard");
        fs::create_symlink(folder / "sub/file", folder / "link");
        volumes.push_back({fmt::format("volume{}", volumes.size()), "local", folder, 0, 0});
    }
    const auto producer = tarOfVolumes(volumes, 0);
    const auto archive = run(producer.argv);
    const auto unpacked = folder_ / "unpacked";
    fs::create_directory(unpacked);
    run({"tar", "--extract", "--directory", unpacked.string()}, archive);
    for (const auto& volume : volumes) {
        const auto folder = unpacked / folderInArchive(volume.name);
        EXPECT_EQ(readFile(folder / "sub/file", 100), readFile(volume.folder / "sub/file", 100));
        EXPECT_TRUE(fs::equivalent(folder / "hard", folder / "sub/file"));
        EXPECT_EQ(fs::read_symlink(folder / "link"), volume.folder / "sub/file");
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(unpacked), {}), 1);
    EXPECT_EQ(std::distance(fs::directory_iterator(unpacked / "volumes"), {}), 5);
    EXPECT_EQ(run(producer.argv), archive) << "the same files give the same bytes";
}

TEST_F(Docker, EstimateLeavesHolesAndFurtherNamesOut) {
    const auto file = folder_ / "data/file";
    std::ofstream(file) << std::string(1 << 20, 'x');
    fs::create_hard_link(file, folder_ / "data/again");
    std::ofstream(folder_ / "data/sparse").close();
    fs::resize_file(folder_ / "data/sparse", 1 << 30);
    const std::vector<VolumeToRead> volumes{{"data", "local", folder_ / "data", 0, 0}};
    const auto size = run(tarOfVolumes(volumes, 0).argv).size();
    const auto estimate = sizeOfVolumes(volumes, Stop{});
    EXPECT_GT(estimate, size * 98 / 100);
    EXPECT_LT(estimate, size * 105 / 100);
    EXPECT_GE(usedWhereVolumesLie(volumes), 1U << 20);
    Stop stop;
    stop.request();
    EXPECT_ANY_THROW(sizeOfVolumes(volumes, stop));
}

TEST(DockerManual, EveryExampleIsAJob) {
    const auto page = readFile(HOLDFAST_SOURCE_DIR "/docs/docker.md", 1 << 20);
    int examples = 0;
    for (auto begin = page.find("```json\n"); begin != page.npos; begin = page.find("```json\n", begin + 1)) {
        const auto end = page.find("\n```", begin);
        const auto job = parseJob(page.substr(begin + 8, end - begin - 8));
        EXPECT_EQ(job.sourceType(), SourceType::Docker);
        ++examples;
    }
    EXPECT_GE(examples, 2);
}

} // namespace
} // namespace holdfast
