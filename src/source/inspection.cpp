#include "source/inspection.hpp"

#include "util/child.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto longestCheck = 6h;

/// A repository, and the descriptors that its path goes by.
struct HeldRepository {
    fs::path path;
    std::vector<int> descriptors;
};

ChildSpec git(const HeldRepository& repository, std::vector<std::string> words) {
    ChildSpec spec;
    spec.keep = repository.descriptors;
    spec.argv = {"git", "--git-dir=" + repository.path.string()};
    spec.argv.insert(spec.argv.end(), words.begin(), words.end());
    spec.environment = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_NO_LAZY_FETCH=1"};
    return spec;
}

/// The configuration comes from the remote, and can name programs that git would run. None of it is needed to look at
/// the objects.
void forgetConfiguration(const fs::path& repository) {
    replaceFile(repository / "config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", Durability::Volatile);
    fs::remove_all(repository / "config.worktree");
}

/// Objects that it borrows from elsewhere are not in the backup.
void demandOwnObjects(const fs::path& repository) {
    if (!fs::exists(fs::symlink_status(repository / "objects/info/alternates"))) return;
    throw Error("The repository borrows objects from another one (objects/info/alternates), which are not in the "
                "backup: run \"git repack -a -d\" in it and remove that file.");
}

/// fsck writes what it finds to standard output, and what keeps it from looking to standard error.
std::string complaint(const ChildOutput& answer) {
    constexpr std::size_t most = 1000;
    const auto& said = answer.out.empty() ? answer.errorTail : answer.out;
    return said.size() <= most ? said : said.substr(0, most) + "…";
}

awaitable<void> demandCommit(HeldRepository repository, std::string commit) {
    std::vector<std::string> words{"cat-file", "-e", commit + "^{commit}"};
    auto spec = git(repository, std::move(words));
    const auto answer = co_await runChild(std::move(spec), 5min);
    if (answer.status.ok()) co_return;
    throw Error(
        fmt::format("The restored repository does not have the commit {}, of which its manifest tells.", commit));
}

awaitable<void> checkRepository(HeldRepository repository, std::string commit) {
    demandOwnObjects(repository.path);
    forgetConfiguration(repository.path);
    std::vector<std::string> words{"fsck", "--full", "--no-reflogs", "--no-dangling", "--no-progress"};
    auto spec = git(repository, std::move(words));
    const auto answer = co_await runChild(std::move(spec), longestCheck);
    if (!answer.status.ok()) {
        throw Error(fmt::format("The restored repository is not whole: git fsck {}: {}", answer.status.describe(),
                                complaint(answer)));
    }
    if (!commit.empty()) co_await demandCommit(std::move(repository), std::move(commit));
}

bool isFolder(const fs::path& path) { return fs::is_directory(fs::symlink_status(path)); }

} // namespace

FileCount countFiles(const fs::path& folder) {
    FileCount count;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const auto status = entry.symlink_status();
        if (fs::is_directory(status)) continue;
        ++count.files;
        if (fs::is_regular_file(status)) count.bytes += entry.file_size();
    }
    return count;
}

awaitable<nlohmann::json> inspect(std::string place, std::vector<int> descriptors, Manifest manifest) {
    nlohmann::json findings = nlohmann::json::object();
    if (manifest.stream && manifest.stream->format == "zfs-send") {
        findings["guid"] = manifest.sourceFields.at("guid"); // compared as each snapshot was received
        co_return findings;
    }
    const auto found = countFiles(place);
    findings["filesRestored"] = found.files;
    findings["bytesRestored"] = found.bytes;
    const bool none = found.files == 0 && (!manifest.copy || manifest.copy->files > 0);
    if (none) throw Error("Nothing has come back: there is no file in what was restored.");

    const auto repository = fs::path(place) / ".git";
    if (manifest.source != "flash" || !isFolder(repository)) co_return findings;
    if (!isInstalled("git")) {
        findings["message"] = "The repository was not looked into: there is no git here.";
        co_return findings;
    }
    std::string commit;
    if (manifest.sourceFields.is_object()) commit = manifest.sourceFields.value("commit", "");
    HeldRepository held{repository, std::move(descriptors)};
    co_await checkRepository(std::move(held), std::move(commit));
    findings["gitFsck"] = "ok";
    co_return findings;
}

} // namespace holdfast
