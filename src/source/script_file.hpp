#pragma once

#include "job/job.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// What a script's first line asks for.
struct Interpreter {
    std::vector<std::string> command; ///< the program and at most one argument, as the kernel splits the line
    std::string program; ///< what runs in the end: with "env" the program that this looks up; may be empty there
};

/// A script that is fit to be run, as it was when it was looked at.
struct ScriptFile {
    std::filesystem::path path; ///< absolute, without symlinks
    Interpreter interpreter;
    std::string content;
};

/// Throws `Error`, a sentence about `path`, for a first line that cannot be run.
Interpreter interpreterOf(const std::string& content, const std::filesystem::path& path);

/// Whether a program translates to machine code while it runs: all but the few of which it is known that they do not.
bool makesCode(const std::string& program);

/// Looks at the file and reads it. Throws `Error` with the sentence that says why it may not be run: it is not there,
/// not executable, has no interpreter, or somebody other than root could have written it (owner and mode of the file,
/// of the folders above, of symlinks on the way).
ScriptFile openScript(const std::filesystem::path& path);

/// What is wrong with a script's configuration on this machine: the script itself, its working directory, its readable
/// paths. Nothing if it can be run.
std::vector<Problem> scriptProblems(const ScriptConfig& config);

} // namespace holdfast
