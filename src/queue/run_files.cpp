#include "queue/run_files.hpp"

#include "run/ledger_file.hpp"
#include "util/error.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"
#include "util/id.hpp"
#include "util/json.hpp"
#include "util/log.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace holdfast {

namespace {

constexpr std::size_t maxFile = 1024 * 1024;

void makeFolder(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder.parent_path());
    if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) throwErrno("create " + folder.string());
}

/// The ids among the names in `folder`, without `suffix`.
std::set<std::string> idsIn(const std::filesystem::path& folder, const std::string& suffix) {
    std::set<std::string> ids;
    std::error_code error;
    for (const auto& item : std::filesystem::directory_iterator(folder, error)) {
        std::string name = item.path().filename().string();
        if (!name.ends_with(suffix)) continue;
        name.resize(name.size() - suffix.size());
        if (isId(name)) ids.insert(name);
    }
    if (error && error != std::errc::no_such_file_or_directory)
        throw std::system_error(error, "read " + folder.string());
    return ids;
}

} // namespace

void RunFiles::createFolders() const {
    for (const auto& folder : {paths_.queue(), paths_.ledgers(), paths_.result("x").parent_path().parent_path(),
                               paths_.cache(), paths_.live("x").parent_path(), paths_.probe("x").parent_path()}) {
        makeFolder(folder);
    }
}

void RunFiles::queue(const Plan& plan) const {
    replaceFile(paths_.queued(plan.id), compact(toJson(plan)), Durability::Durable);
}

void RunFiles::removeProbes() const {
    for (const auto& item : std::filesystem::directory_iterator(paths_.probe("x").parent_path())) {
        std::filesystem::remove_all(item.path());
    }
}

std::vector<Plan> RunFiles::readQueue() const {
    std::vector<std::filesystem::path> files;
    for (const auto& item : std::filesystem::directory_iterator(paths_.queue())) files.push_back(item.path());

    std::vector<Plan> plans;
    for (const auto& file : files) {
        const std::string name = file.filename().string();
        if (name.starts_with("."))
            std::filesystem::remove(file); // a replaceFile() that a crash cut short
        else if (file.extension() != ".json")
            continue;
        else if (auto plan = readPlan(file))
            plans.push_back(std::move(*plan));
    }
    std::sort(plans.begin(), plans.end(),
              [](const Plan& a, const Plan& b) { return std::tie(a.queuedAt, a.id) < std::tie(b.queuedAt, b.id); });
    return plans;
}

std::optional<Plan> RunFiles::readPlan(const std::filesystem::path& file) const {
    try {
        Plan plan = planFromJson(nlohmann::json::parse(readFile(file, maxFile)));
        if (plan.id + ".json" != file.filename()) throw Error("Its name does not go with the id in it.");
        return plan;
    } catch (const std::exception& e) {
        const std::filesystem::path aside = file.string() + ".broken";
        logError(fmt::format("The queued run {} cannot be read and is set aside as {}: {}", file.string(),
                             aside.string(), e.what()));
        std::filesystem::rename(file, aside);
        return std::nullopt;
    }
}

void RunFiles::makeLive(const Plan& plan, std::uint64_t bandwidth) const {
    makePlaces(plan.id);
    makeFolder(paths_.live(plan.id));
    replaceFile(paths_.plan(plan.id), compact(toJson(plan)), Durability::Volatile);
    writeLimits(plan.id, bandwidth);
}

bool RunFiles::hasLiveFolder(const std::string& id) const { return std::filesystem::exists(paths_.live(id)); }

USec RunFiles::startedAt(const std::string& id) const {
    try {
        return planFromJson(nlohmann::json::parse(readFile(paths_.plan(id), maxFile))).startedAt;
    } catch (const std::exception&) {
        return 0; // after a power cut the result will say
    }
}

void RunFiles::writeLimits(const std::string& id, std::uint64_t bandwidth) const {
    replaceFile(paths_.limits(id), compact({{"bandwidth", bandwidth}}), Durability::Volatile);
}

void RunFiles::writeCancel(const std::string& id, std::uint32_t byUid) const {
    replaceFile(paths_.cancel(id), compact({{"byUid", byUid}, {"at", nowUSec()}}), Durability::Volatile);
}

void RunFiles::withdrawCancel(const std::string& id) const { std::filesystem::remove(paths_.cancel(id)); }

std::optional<RunState> RunFiles::readState(const std::string& id) const { return readRunState(paths_.runState(id)); }

std::optional<RunResult> RunFiles::readResult(const std::string& id) const {
    try {
        auto result = readRunResult(paths_.result(id));
        if (result && result->id != id) throw Error("It is another run's.");
        return result;
    } catch (const std::exception& e) {
        logError(fmt::format("The result {} cannot be read: {}", paths_.result(id).string(), e.what()));
        return std::nullopt;
    }
}

bool RunFiles::hasLedger(const std::string& id) const { return holdfast::hasLedger(paths_.ledger(id)); }

void RunFiles::makePlaces(const std::string& id) const {
    makeFolder(paths_.result(id).parent_path());
    const Fd ledger(::open(paths_.ledger(id).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!ledger) throwErrno("make the ledger " + paths_.ledger(id).string());
}

void RunFiles::forget(const std::string& id) const {
    if (!hasLedger(id)) removeFile(paths_.ledger(id));
    std::filesystem::remove_all(paths_.live(id));
    std::filesystem::remove_all(paths_.result(id).parent_path());
    removeFile(paths_.queued(id));
}

std::vector<std::string> RunFiles::idsOnDisk() const {
    std::set<std::string> ids = idsIn(paths_.ledgers(), ".jsonl");
    ids.merge(idsIn(paths_.live("x").parent_path(), ""));
    ids.merge(idsIn(paths_.result("x").parent_path().parent_path(), ""));
    return {ids.begin(), ids.end()};
}

} // namespace holdfast
