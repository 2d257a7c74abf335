#include "source/docker.hpp"

#include "source/docker_tar.hpp"
#include "source/mount_overlap.hpp"
#include "util/async.hpp"
#include "util/error.hpp"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

constexpr auto measureLimit = 1min;

template<typename List, typename Text>
std::string joined(const List& list, Text text) {
    std::vector<std::string> words;
    for (const auto& element : list) words.push_back(text(element));
    return fmt::format("{}", fmt::join(words, ", "));
}

} // namespace

DockerSource::DockerSource(const Plan& plan, Ledger& ledger)
    : config_(std::get<DockerConfig>(plan.job.source)), pause_(ledger) {}

/// All that can be found out and counted is, before the first container stops.
awaitable<void> DockerSource::prepare() {
    engine_.emplace(Engine::findSocket(config_.engineSocket));
    survey_ = co_await surveyEngine(*engine_, config_);
    co_await measure();
    for (const auto& container : survey_.toStop) co_await pause_.stop(*engine_, container);
    demandSameFolders(survey_.volumes);
}

/// An estimate is not worth a failure: where there are too many files to look at, a rough one must do.
awaitable<void> DockerSource::measure() {
    std::function<void(const Stop&)> work = [this](const Stop& stop) {
        estimate_ = sizeOfVolumes(survey_.volumes, stop);
    };
    try {
        co_await withDeadline(background_.run(std::move(work)), measureLimit, "There are too many files to measure.");
    } catch (const TimedOut&) {
        estimate_ = usedWhereVolumesLie(survey_.volumes);
    }
}

Upload DockerSource::upload() { return tarOfVolumes(survey_.volumes, estimate_); }

awaitable<void> DockerSource::doneReading() {
    co_await findWhoRunsMeanwhile();
    co_await pause_.startAll(*engine_);
    if (pause_.disturbers().empty()) co_return;
    throw Error(fmt::format("Somebody started {} while the volumes were read, so the copy may not be whole. See that "
                            "nothing starts these containers during the backup.",
                            fmt::join(pause_.disturbers(), ", ")));
}

/// A container that was started behind our back, by a person or by an engine that came back, may have written.
awaitable<void> DockerSource::findWhoRunsMeanwhile() {
    std::vector<EngineListed> writers;
    try {
        auto running = co_await engine_->running();
        writers = co_await writersOf(*engine_, survey_.volumes, std::move(running));
    } catch (const Error&) {
        co_return; // the containers are started whatever the engine says; startAll() waits for it
    }
    for (const auto& writer : writers) pause_.noteDisturber(writer.name);
}

nlohmann::json DockerSource::metadata() const {
    auto message = fmt::format("Reads the volumes {}.",
                               joined(survey_.volumes, [](const VolumeToRead& volume) { return volume.name; }));
    if (!survey_.toStop.empty()) {
        message += fmt::format(" Stopped {}.", joined(survey_.toStop, [](const auto& one) { return one.name; }));
    }
    if (!survey_.leftOut.empty()) {
        message += fmt::format(" Not backed up, since they are folders of this machine and no volumes: {}.",
                               joined(survey_.leftOut, [](const BindMount& bind) {
                                   return fmt::format("{} (of {})", bind.source, bind.container);
                               }));
    }
    if (!pause_.killed().empty()) {
        message += fmt::format(" Did not end in time and was killed: {}.", fmt::join(pause_.killed(), ", "));
    }
    if (!pause_.removed().empty()) {
        message +=
            fmt::format(" Removed by somebody meanwhile, so not started again: {}.", fmt::join(pause_.removed(), ", "));
    }
    return {{"message", message}};
}

nlohmann::json DockerSource::manifest() const {
    auto containers = nlohmann::json::array();
    auto volumes = nlohmann::json::array();
    auto leftOut = nlohmann::json::array();
    for (const auto& one : survey_.named) {
        containers.push_back({{"name", one.name}, {"id", one.id}, {"image", one.image}, {"ran", one.running}});
    }
    for (const auto& volume : survey_.volumes) {
        volumes.push_back({{"name", volume.name}, {"driver", volume.driver}, {"folder", folderInArchive(volume.name)}});
    }
    for (const auto& bind : survey_.leftOut) {
        leftOut.push_back({{"container", bind.container}, {"source", bind.source}, {"destination", bind.destination}});
    }
    return {{"engine", {{"name", survey_.engine.name}, {"version", survey_.engine.version}}},
            {"containers", containers},
            {"volumes", volumes},
            {"leftOut", leftOut}};
}

} // namespace holdfast
