#include "unit/probe.hpp"

#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace holdfast {

namespace {

constexpr std::size_t maxAnswer = 4 * 1024 * 1024;
/// The unit's own limits (60 s, and 10 s to stop) and some air.
constexpr auto deadline = std::chrono::seconds(90);
constexpr const char* tooLate =
    "The probe has not ended within 90 seconds; \"journalctl -t holdfast-run\" may say why.";

/// A folder that is there for the length of a scope.
class Folder {
  public:
    explicit Folder(std::filesystem::path path) : path_(std::move(path)) {
        std::filesystem::create_directories(path_.parent_path());
        // Requests hold job documents, which are private.
        if (::mkdir(path_.c_str(), 0700) < 0) throwErrno("create " + path_.string());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored; // what stays is in tmpfs, and removed at the next start
        std::filesystem::remove_all(path_, ignored);
    }

  private:
    std::filesystem::path path_;
};

class Counted {
  public:
    explicit Counted(std::size_t& count) : count_(count) { ++count_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --count_; }

  private:
    std::size_t& count_;
};

/// The sandbox lets through what one source needs; jobs that are asked for together have one in common.
SourceType sourceOf(const nlohmann::json& request) {
    const nlohmann::json::json_pointer one(request.contains("jobs") ? "/jobs/0" : "/job");
    const auto job = request.value(one, nlohmann::json());
    if (!job.is_object()) return SourceType::None; // some questions only name a job
    const auto type = job.value("preprocessType", nlohmann::json());
    if (type == "zfs") return SourceType::Zfs;
    return type == "docker" ? SourceType::Docker : SourceType::None;
}

bool writes(const nlohmann::json& request) { return request.value("write", false); }

} // namespace

awaitable<nlohmann::json> Prober::ask(nlohmann::json request) {
    if (open_ >= maxOpen) {
        throw Error(fmt::format("{} checks are under way already; try again when they are done.", maxOpen));
    }
    const Counted counted(open_);
    const std::string id = newId();
    const Folder folder(paths_.probe(id));
    replaceFile(paths_.probe(id) / "request.json", request.dump(), Durability::Volatile);
    co_await runUnit(id, request);
    co_return readAnswer(id);
}

awaitable<void> Prober::runUnit(std::string id, const nlohmann::json& request) {
    const std::string unit = fmt::format("holdfast-probe-{}.service", id);
    const std::filesystem::path rcloneConfig = request.value("rcloneConfig", (paths_.config / "rclone.conf").string());
    const ProbeUnit probe{id, rcloneConfig, sourceOf(request), writes(request)};
    co_await systemd_.start(unit, probeUnitProperties(probe, paths_));
    bool late = false;
    try {
        co_await withDeadline(systemd_.untilGone(unit), deadline, tooLate);
    } catch (const TimedOut&) {
        late = true; // a handler may not wait
    }
    if (!late) co_return;
    co_await systemd_.stop(unit);
    throw Error(tooLate);
}

nlohmann::json Prober::readAnswer(const std::string& id) const {
    const auto text = readFileIfThere(paths_.probe(id) / "answer.json", maxAnswer);
    if (!text) {
        throw Error(
            fmt::format("The probe ended without an answer; \"journalctl -u holdfast-probe-{}\" says why.", id));
    }
    auto answer = nlohmann::json::parse(*text, nullptr, false);
    if (!answer.is_object()) throw Error("The probe's answer is not a JSON object.");
    if (const auto error = answer.find("error"); error != answer.end() && error->is_string() && answer.size() == 1) {
        throw Error(error->get<std::string>());
    }
    return answer;
}

} // namespace holdfast
