#include "job/store.hpp"

#include "job/document.hpp"
#include "util/file.hpp"
#include "util/held_path.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr const char* extension = ".json";

/// Files that a job may be in. Those that replaceFile() has left half-written, and editors' own, begin with a dot.
bool isJobFile(const fs::path& path) {
    return path.extension() == extension && !path.filename().string().starts_with('.');
}

/// The document as text, for people; as compact as it takes to be read back.
std::string textOf(const nlohmann::json& document) {
    auto text = document.dump(2) + "\n";
    return text.size() <= maxDocumentSize ? text : document.dump();
}

/// Whoever can write a job reads and overwrites any file as root. If we are not root, there is nothing to be had.
std::string readJobFile(const fs::path& path) {
    if (::geteuid() == 0) static_cast<void>(hold(path, Owners::Root));
    return readFile(path, maxDocumentSize);
}

/// Throws what is wrong with the file.
Job loadJob(const fs::path& path) {
    auto job = parseJob(readJobFile(path));
    if (jobFileName(job.name) != path.filename()) {
        throw Error(fmt::format("The file is named {}, but its job is named {}: the file of this job must be {}.",
                                shown(path.filename().string()), job.name, jobFileName(job.name)));
    }
    return job;
}

/// The names in a folder, sorted. None if it is not there.
std::vector<fs::path> jobFiles(const fs::path& folder) {
    std::vector<fs::path> files;
    try {
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (isJobFile(entry.path())) files.push_back(entry.path());
        }
    } catch (const fs::filesystem_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Whether something has this name, be it a link to nowhere.
bool isThere(const fs::path& path) { return fs::symlink_status(path).type() != fs::file_type::not_found; }

} // namespace

std::string jobFileName(const std::string& job) { return job + extension; }

JobStore::JobStore(fs::path folder) : folder_(std::move(folder)) {}

void JobStore::reload() {
    std::map<std::string, Job> jobs;
    std::vector<BrokenJob> broken;
    const auto files = jobFiles(folder_); // if it throws, nothing has changed
    for (const auto& path : files) {
        try {
            auto job = loadJob(path);
            auto name = job.name;
            jobs_.erase(name); // one by one, so that thousands are not held twice
            jobs.emplace(std::move(name), std::move(job));
        } catch (const std::exception&) {
            const auto why = sentenceOf(std::current_exception());
            if (isThere(path)) broken.push_back({harmless(path.filename().string()), why});
        }
    }
    jobs_ = std::move(jobs);
    broken_ = std::move(broken);
}

const Job& JobStore::get(const std::string& name) const {
    if (const auto job = jobs_.find(name); job != jobs_.end()) return job->second;
    for (const auto& file : broken_) {
        if (file.file == jobFileName(name)) {
            // Anybody may ask for a job, and what is wrong with the file quotes it.
            throw NoSuchJob(
                fmt::format("The file of the job {} could not be loaded; \"holdfastctl status\" as root says "
                            "why.",
                            shown(name)));
        }
    }
    throw NoSuchJob(fmt::format("There is no job {}.", shown(name)));
}

const Job& JobStore::add(Job job) {
    if (jobs_.contains(job.name)) throw JobExists(fmt::format("There is already a job {}.", shown(job.name)));
    if (isThere(folder_ / jobFileName(job.name))) {
        throw JobExists(
            fmt::format("There is already a file {} in {} that has not been loaded: mend or remove it, then "
                        "reload.",
                        shown(jobFileName(job.name)), folder_.string()));
    }
    write(job);
    auto name = job.name;
    return jobs_.emplace(std::move(name), std::move(job)).first->second;
}

const Job& JobStore::replace(Job job) {
    auto& stored = jobs_.at(get(job.name).name);
    write(job);
    return stored = std::move(job);
}

void JobStore::remove(const std::string& name) {
    const auto stored = jobs_.find(get(name).name);
    removeFile(folder_ / jobFileName(stored->first));
    jobs_.erase(stored);
}

Job JobStore::merged(const std::string& name, const std::string& mergePatch) const {
    auto document = get(name).document();
    nlohmann::json patch;
    try {
        patch = parseDocument(mergePatch);
    } catch (const BadDocument& bad) {
        throw InvalidJob({bad.problem()});
    }
    if (!patch.is_object()) throw InvalidJob({{"", "type", "A change of a job must be a JSON object"}});
    document.merge_patch(patch);
    auto job = parseJob(document);
    if (job.name != name) {
        throw InvalidJob(
            {{"/name", "name-changed", "The name of a job cannot be changed: create another job instead"}});
    }
    return job;
}

/// A Job comes from parseJob() alone, so its name is safe as a file's.
void JobStore::write(const Job& job) {
    fs::create_directories(folder_);
    replaceFile(folder_ / jobFileName(job.name), textOf(job.document()), Durability::Durable, 0600);
}

} // namespace holdfast
