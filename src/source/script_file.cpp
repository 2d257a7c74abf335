#include "source/script_file.hpp"

#include "unit/script_unit.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t maxScript = 16 * 1024 * 1024;
constexpr int maxSymlinks = 40; ///< as the kernel has it
constexpr auto blanks = " \t";  ///< as the kernel has them

struct stat look(const fs::path& path, const fs::path& script) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return info;
    if (errno == ENOENT || errno == ENOTDIR) {
        throw Error(fmt::format("Script '{}' does not exist or is not executable", script.string()));
    }
    throwErrno("look at " + path.string());
}

void refuseOthers(const struct stat& info, const fs::path& path, const fs::path& script) {
    const std::string what = path == script ? "it" : path.string();
    if (info.st_uid != 0) {
        throw Error(
            fmt::format("Script '{}' is refused: {} belongs to user {} and not to root, so that user could change "
                        "what runs. Give it to root: chown root: {}",
                        script.string(), what, info.st_uid, path.string()));
    }
    if (S_ISLNK(info.st_mode) || (info.st_mode & 0022) == 0) return;
    throw Error(fmt::format("Script '{}' is refused: {} may be written to by others than root (mode {:04o}), who could "
                            "change what runs. Take that away: chmod go-w {}",
                            script.string(), what, info.st_mode & 07777, path.string()));
}

fs::path linkTarget(const fs::path& link) {
    std::error_code failed;
    auto target = fs::read_symlink(link, failed);
    if (failed) throw std::system_error(failed, "read the symlink " + link.string());
    return target;
}

/// Follows `script` from the root as the kernel does, looking at every folder and symlink on the way. Returns where it
/// leads to.
fs::path follow(const fs::path& script) {
    std::vector<fs::path> ahead(script.begin(), script.end());
    std::reverse(ahead.begin(), ahead.end());
    fs::path at = "/";
    for (int links = 0; !ahead.empty();) {
        const auto name = ahead.back();
        ahead.pop_back();
        if (name == "/") at = "/";
        if (name.empty() || name == "." || name == "/") continue;
        if (name == "..") {
            at = at.parent_path();
            continue;
        }
        const auto next = at / name;
        const auto info = look(next, script);
        refuseOthers(info, next, script);
        if (!S_ISLNK(info.st_mode)) {
            at = next;
            continue;
        }
        if (++links > maxSymlinks)
            throw Error(fmt::format("Script '{}' leads in a circle of symlinks.", script.string()));
        const auto target = linkTarget(next);
        std::vector<fs::path> names(target.begin(), target.end());
        ahead.insert(ahead.end(), names.rbegin(), names.rend());
    }
    return at;
}

std::string trimmed(const std::string& text) {
    const auto begin = std::min(text.find_first_not_of(blanks), text.size());
    return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

/// Of "/usr/bin/env -S node --jitless" or "/usr/bin/env X=1 python3": the first word that is neither an option nor a
/// variable.
std::string lookedUpByEnv(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    words >> word; // env itself
    while (words >> word) {
        if (!word.starts_with('-') && word.find('=') == std::string::npos) return word;
    }
    return "";
}

std::string nameOf(const std::string& interpreter) { return fs::path(interpreter).filename().string(); }

} // namespace

Interpreter interpreterOf(const std::string& content, const fs::path& path) {
    if (!content.starts_with("#!")) {
        throw Error(
            fmt::format("Script '{}' has no interpreter: its first line must be one such as #!/bin/sh", path.string()));
    }
    const auto line = trimmed(content.substr(2, content.find('\n') - 2));
    if (line.ends_with('\r')) {
        throw Error(fmt::format("Script '{}' has the line breaks of Windows, and its interpreter would not be found: "
                                "convert it, for example with dos2unix",
                                path.string()));
    }
    if (!line.starts_with('/')) {
        throw Error(fmt::format("Script '{}' must name its interpreter by an absolute path, such as #!/bin/sh or "
                                "#!/usr/bin/env python3",
                                path.string()));
    }
    Interpreter interpreter;
    const auto end = std::min(line.find_first_of(blanks), line.size());
    interpreter.program = line.substr(0, end);
    interpreter.command = {interpreter.program};
    if (end < line.size()) interpreter.command.push_back(trimmed(line.substr(end)));
    if (nameOf(interpreter.program) == "env") interpreter.program = lookedUpByEnv(line);
    return interpreter;
}

bool makesCode(const std::string& program) {
    static const std::array<std::string_view, 9> known{"sh",  "bash", "dash",   "ash",    "ksh",
                                                       "zsh", "perl", "python", "busybox"};
    auto name = nameOf(program);
    name.erase(name.find_last_not_of("0123456789.") + 1); // python3.11
    return std::find(known.begin(), known.end(), name) == known.end();
}

ScriptFile openScript(const fs::path& path) {
    const auto target = follow(path);
    struct stat info {};
    if (::stat(target.c_str(), &info) < 0 || !S_ISREG(info.st_mode) || (info.st_mode & 0111) == 0) {
        throw Error(fmt::format("Script '{}' does not exist or is not executable", path.string()));
    }
    ScriptFile script{target, {}, readFile(target, maxScript)};
    script.interpreter = interpreterOf(script.content, path);
    const auto& program = script.interpreter.command.front();
    if (::access(program.c_str(), X_OK) < 0) {
        throw Error(fmt::format("Script '{}' needs {}, which is not installed", path.string(), harmless(program)));
    }
    return script;
}

namespace {

/// The script's unit has no more rights than any user.
void refuseUnreachable(const fs::path& script) {
    for (auto folder = script.parent_path(); folder != "/"; folder = folder.parent_path()) {
        struct stat info {};
        if (isHiddenFromScripts(folder) || ::stat(folder.c_str(), &info) < 0 || (info.st_mode & 0001) != 0) continue;
        throw Error(
            fmt::format("Script '{}' cannot be reached by the unit that it would run in: {} is closed to others "
                        "(mode {:04o}). Open it with chmod o+x {}, or put the script elsewhere",
                        script.string(), folder.string(), info.st_mode & 07777, folder.string()));
    }
}

} // namespace

std::vector<Problem> scriptProblems(const ScriptConfig& config) {
    std::vector<Problem> problems;
    const auto report = [&](const std::string& field, const char* code, const std::string& message) {
        problems.push_back({"/preprocessConfig/script/" + field, code, message});
    };
    try {
        const auto script = openScript(config.scriptPath);
        if (!config.readAll) refuseUnreachable(script.path);
    } catch (const std::exception& e) {
        report("scriptPath", "script", e.what());
    }
    std::error_code ignored;
    if (config.workingDirectory && !fs::is_directory(*config.workingDirectory, ignored)) {
        report("workingDirectory", "no-such-folder",
               fmt::format("Working directory '{}' is not a folder of this machine", *config.workingDirectory));
    }
    for (std::size_t i = 0; i < config.readPaths.size(); ++i) {
        if (fs::exists(config.readPaths[i], ignored)) continue;
        report(fmt::format("readPaths/{}", i), "no-such-path",
               fmt::format("'{}' in readPaths is not there", config.readPaths[i]));
    }
    return problems;
}

} // namespace holdfast
