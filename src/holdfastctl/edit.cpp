#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/input.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/merge_patch.hpp"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

/// A file of our own for an editor, with a name that tells the editor what it is. What somebody wrote in it is never
/// lost.
class Draft {
  public:
    Draft(const std::string& name, const std::string& text) : original_(text) {
        auto pattern = (std::filesystem::temp_directory_path() / "holdfastctl-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throwErrno("make a folder " + pattern);
        folder_ = pattern;
        file_ = folder_ / (name + ".json");
        replaceFile(file_, text, Durability::Volatile, 0600);
    }
    ~Draft() {
        std::error_code ignored;
        if (done_ || untouched()) std::filesystem::remove_all(folder_, ignored);
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    [[nodiscard]] const std::filesystem::path& file() const { return file_; }
    [[nodiscard]] std::string text() const { return readDocument(file_.string()); }
    [[nodiscard]] bool untouched() const {
        try {
            return text() == original_;
        } catch (const std::exception&) {
            return false;
        }
    }
    /// What was written has arrived, or is not wanted; otherwise it stays.
    void done() { done_ = true; }

  private:
    std::filesystem::path folder_;
    std::filesystem::path file_;
    std::string original_;
    bool done_ = false;
};

/// $VISUAL or $EDITOR, which may hold arguments ("code --wait"); else what Debian calls the editor, and vi.
std::vector<std::vector<std::string>> editors() {
    for (const auto* variable : {"VISUAL", "EDITOR"}) {
        const char* value = std::getenv(variable);
        std::istringstream words(value == nullptr ? "" : value);
        const std::vector<std::string> argv(std::istream_iterator<std::string>{words}, {});
        if (!argv.empty()) return {argv};
    }
    return {{"editor"}, {"nano"}, {"vi"}};
}

/// Ctrl-C is the editor's while it runs.
class SignalsForChild {
  public:
    SignalsForChild() {
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGINT, &ignore, &interrupt_);
        ::sigaction(SIGQUIT, &ignore, &quit_);
        ::posix_spawnattr_init(&attributes_);
        sigset_t defaults;
        ::sigemptyset(&defaults);
        ::sigaddset(&defaults, SIGINT);
        ::sigaddset(&defaults, SIGQUIT);
        ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
    }
    ~SignalsForChild() {
        ::posix_spawnattr_destroy(&attributes_);
        ::sigaction(SIGINT, &interrupt_, nullptr);
        ::sigaction(SIGQUIT, &quit_, nullptr);
    }
    SignalsForChild(const SignalsForChild&) = delete;
    SignalsForChild& operator=(const SignalsForChild&) = delete;
    [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

  private:
    struct sigaction interrupt_ {};
    struct sigaction quit_ {};
    posix_spawnattr_t attributes_{};
};

/// Returns false if there is no such program. Throws `Error` if the editor fails.
bool runEditor(std::vector<std::string> words, const std::filesystem::path& file) {
    words.push_back(file.string());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    const SignalsForChild signals;
    pid_t pid = -1;
    if (::posix_spawnp(&pid, argv[0], nullptr, signals.attributes(), argv.data(), environ) != 0) return false;
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) throwErrno("wait for the editor");
    }
    if (status != 0) throw Error(fmt::format("The editor {} failed.", words[0]));
    return true;
}

void openEditor(const std::filesystem::path& file) {
    std::string names;
    for (const auto& words : editors()) {
        if (runEditor(words, file)) return;
        names += (names.empty() ? "" : ", ") + words[0];
    }
    throw Error(fmt::format("There is no editor ({}). Set $EDITOR.", names));
}

/// Sends what was edited. Returns false if nothing had changed. Throws `Error` for what is not JSON, `ServiceError`.
bool submit(Client& client, const std::string& name, const std::string& before, const std::string& after) {
    json edited;
    try {
        edited = json::parse(after);
    } catch (const json::parse_error& error) {
        const std::string_view what = error.what();
        throw Error(fmt::format("What you wrote is not JSON: {}.", what.substr(what.find("] ") + 2)));
    }
    if (!edited.is_object()) throw Error("What you wrote is not a job: it must be a JSON object.");
    const auto patch = mergePatchBetween(json::parse(before), edited);
    if (patch.empty()) return false;
    client.updateJob(name, patch);
    return true;
}

void report(Output& out, const std::string& name, bool changed) {
    if (out.json())
        out.document({{"job", name}, {"changed", changed}});
    else
        out.line(fmt::format("Job {} {}.", name, changed ? "changed" : "is as it was"));
}

} // namespace

int editJob(Context& context, const std::string& name) {
    const auto before = context.client.jobConfig(name);
    const auto destination = context.client.jobProperties(name).value("destination", "");
    Draft draft(name, nlohmann::ordered_json::parse(before).dump(2) + "\n");
    const bool mayAsk = !context.out.json() && ::isatty(STDIN_FILENO) != 0;
    while (true) {
        try {
            openEditor(draft.file());
            const bool changed = submit(context.client, name, before, draft.text());
            draft.done();
            report(context.out, name, changed);
            if (changed) tellOfBackupsLeft(context, name, destination);
            return exitWith::done;
        } catch (const std::exception& error) {
            if (draft.untouched()) throw;
            if (mayAsk) context.out.error(error);
            if (mayAsk && confirm("Edit it again?", true)) continue;
            context.out.hint(fmt::format("The job is as it was. What you wrote is kept in {}.", draft.file().string()));
            if (!mayAsk) throw;
            return exitWith::failed;
        }
    }
}

} // namespace holdfast::ctl
