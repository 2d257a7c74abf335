#include "source/disarm.hpp"

#include "source/staging.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t maxConfig = 1024 * 1024;
constexpr std::size_t namedAtMost = 10;

/// Sections of which every key is data.
constexpr std::array harmlessSections{"user", "branch", "pack", "color", "i18n", "pull", "push", "advice"};

/// Of the others, the keys that are.
constexpr std::array harmlessKeys{"core.repositoryformatversion",
                                  "core.filemode",
                                  "core.bare",
                                  "core.logallrefupdates",
                                  "core.symlinks",
                                  "core.ignorecase",
                                  "core.precomposeunicode",
                                  "core.autocrlf",
                                  "core.eol",
                                  "core.safecrlf",
                                  "core.quotepath",
                                  "core.compression",
                                  "core.bigfilethreshold",
                                  "core.sharedrepository",
                                  "core.trustctime",
                                  "core.checkstat",
                                  "core.untrackedcache",
                                  "extensions.objectformat",
                                  "remote.url",
                                  "remote.fetch",
                                  "remote.pushurl",
                                  "fetch.prune",
                                  "gc.auto",
                                  "gc.autodetach",
                                  "init.defaultbranch",
                                  "commit.gpgsign"};

template<std::size_t N>
bool isAmong(const std::array<const char*, N>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string withoutBlanks(std::string_view text) {
    const auto from = text.find_first_not_of(" \t\r");
    if (from == text.npos) return {};
    return std::string(text.substr(from, text.find_last_not_of(" \t\r") - from + 1));
}

std::string lowerCase(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

/// `[name]` or `[name "other"]` on a line of its own; what is written otherwise is not understood, and left out.
struct Section {
    std::string name;
    std::string other;
    [[nodiscard]] std::string with(const std::string& key) const {
        return other.empty() ? name + "." + key : name + "." + other + "." + key;
    }
};

std::optional<Section> parseSection(const std::string& line) {
    if (!line.ends_with(']')) return std::nullopt;
    const auto inside = line.substr(1, line.size() - 2);
    const auto quote = inside.find('"');
    Section section{lowerCase(withoutBlanks(inside.substr(0, quote))), {}};
    if (section.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != section.name.npos) {
        return std::nullopt;
    }
    if (quote == inside.npos) return section;
    const auto end = inside.find_first_of("\"\\", quote + 1);
    if (end != inside.size() - 1 || inside[end] != '"') return std::nullopt;
    section.other = inside.substr(quote + 1, end - quote - 1);
    return section;
}

/// A value that goes on in the next line could hide a key from us. A URL with "::" names a program.
bool isHarmlessLine(const Section& section, const std::string& key, const std::string& value) {
    if (value.ends_with('\\') || value.find("::") != value.npos) return false;
    return isAmong(harmlessSections, section.name) || isAmong(harmlessKeys, section.name + "." + key);
}

class ConfigReader {
  public:
    void add(std::string_view rawLine) {
        const auto line = withoutBlanks(rawLine);
        if (line.empty() || line.front() == '#' || line.front() == ';')
            keep(rawLine);
        else if (line.front() == '[')
            begin(line, rawLine);
        else
            take(line, rawLine);
        goesOn_ = line.ends_with('\\');
    }
    HarmlessConfig finish() && { return std::move(result_); }

  private:
    void keep(std::string_view rawLine) {
        if (!goesOn_) result_.text += std::string(rawLine) + "\n";
    }
    void begin(const std::string& line, std::string_view rawLine) {
        section_ = goesOn_ ? std::nullopt : parseSection(line);
        if (section_)
            keep(rawLine);
        else
            result_.leftOut.push_back(line);
    }
    void take(const std::string& line, std::string_view rawLine) {
        const auto equals = line.find('=');
        const auto key = lowerCase(withoutBlanks(line.substr(0, equals)));
        const auto value = equals == line.npos ? "" : withoutBlanks(line.substr(equals + 1));
        if (section_ && !goesOn_ && isHarmlessLine(*section_, key, value))
            keep(rawLine);
        else
            result_.leftOut.push_back(section_ ? section_->with(key) : key);
    }

    HarmlessConfig result_;
    std::optional<Section> section_;
    bool goesOn_ = false; ///< the line before is not over
};

/// Gives the name the ending `.restored`.
void setAside(const HeldPath& folder, const std::string& name) { moveInto(folder, name, folder, name + ".restored"); }

fs::path inside(const HeldPath& folder, const std::string& name) { return fs::path(folder.forChild()) / name; }

/// One folder that git takes for a repository.
class Disarming {
  public:
    Disarming(const HeldPath& repository, std::string shown, std::vector<std::string>& changed)
        : repository_(repository), shown_(std::move(shown)), changed_(changed) {}

    void run() {
        for (const char* name : {"commondir", "config.worktree"}) leaveNothingAt(name);
        hooks();
        config();
    }

  private:
    [[nodiscard]] bool isFolder(const char* name) const {
        const auto status = statusIn(repository_, name);
        return status && S_ISDIR(status->st_mode);
    }

    void tell(const std::string& what) { changed_.push_back(shown_ + what); }

    void leaveNothingAt(const char* name) {
        if (!statusIn(repository_, name)) return;
        setAside(repository_, name);
        tell(name);
    }

    void hooks() {
        if (!statusIn(repository_, "hooks")) return;
        if (!isFolder("hooks")) return leaveNothingAt("hooks");
        const auto folder = folderBelow(repository_, "hooks");
        for (const auto& entry : fs::directory_iterator(folder.forChild())) {
            const auto name = entry.path().filename().string();
            const auto status = statusIn(folder, name);
            if (!status || name.ends_with(".sample")) continue;
            if (S_ISLNK(status->st_mode))
                setAside(folder, name);
            else if (S_ISREG(status->st_mode) && (status->st_mode & 0111) != 0)
                fs::permissions(entry.path(), static_cast<fs::perms>(status->st_mode & 0666));
            else
                continue;
            tell("hooks/" + name);
        }
    }

    void config() {
        const auto status = statusIn(repository_, "config");
        if (!status) return;
        if (!S_ISREG(status->st_mode)) return leaveNothingAt("config");
        const auto harmless = harmlessConfig(readFile(inside(repository_, "config"), maxConfig));
        if (harmless.leftOut.empty()) return;
        setAside(repository_, "config");
        replaceFile(inside(repository_, "config"), harmless.text, Durability::Volatile, status->st_mode & 0666);
        if (::fchownat(repository_.fd(), "config", status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
            throwErrno("give away the configuration of a repository");
        }
        for (const auto& key : harmless.leftOut) tell("config: " + key);
    }

    const HeldPath& repository_;
    const std::string shown_; ///< its path, with a slash at the end
    std::vector<std::string>& changed_;
};

/// As git sees it: there are folders that are none and have one of the names.
bool isRepository(const HeldPath& folder) {
    const bool whole = statusIn(folder, "objects") && statusIn(folder, "refs");
    return statusIn(folder, "HEAD") && (whole || statusIn(folder, "commondir"));
}

/// A repository, and those of its submodules, which may lie deeper.
void disarmWithModules(const HeldPath& folder, const std::string& shown, std::vector<std::string>& changed) {
    Disarming(folder, shown, changed).run();
    const auto modules = statusIn(folder, "modules");
    if (!modules || !S_ISDIR(modules->st_mode)) return;
    const auto below = folderBelow(folder, "modules");
    for (auto at = fs::recursive_directory_iterator(below.forChild()); at != fs::recursive_directory_iterator(); ++at) {
        if (!fs::is_directory(at->symlink_status())) continue;
        const auto path = at->path().lexically_relative(below.forChild());
        const auto repository = folderBelow(below, path);
        if (!isRepository(repository)) continue;
        Disarming(repository, fmt::format("{}modules/{}/", shown, path.string()), changed).run();
    }
}

} // namespace

HarmlessConfig harmlessConfig(std::string_view config) {
    ConfigReader reader;
    while (!config.empty()) {
        const auto end = std::min(config.find('\n'), config.size());
        reader.add(config.substr(0, end));
        config.remove_prefix(std::min(end + 1, config.size()));
    }
    return std::move(reader).finish();
}

std::vector<std::string> disarmRepositories(const HeldPath& folder) {
    std::vector<std::string> changed;
    if (isRepository(folder)) disarmWithModules(folder, "", changed);
    const auto dotGit = statusIn(folder, ".git");
    if (!dotGit) return changed;
    if (!S_ISDIR(dotGit->st_mode)) {
        throw Error("The .git in this backup is not a folder, so that it is no backup of a repository. Somebody has "
                    "changed it at the remote; restore another one.");
    }
    disarmWithModules(folderBelow(folder, ".git"), ".git/", changed);
    return changed;
}

std::string describeDisarmed(const std::vector<std::string>& what) {
    const auto end = what.begin() + static_cast<std::ptrdiff_t>(std::min(what.size(), namedAtMost));
    return fmt::format("Would make git run programs, so hooks are not executable and the rest is only in files that "
                       "end in .restored: {}{}. Look at them before you give them back.",
                       fmt::join(what.begin(), end, ", "),
                       what.size() > namedAtMost ? fmt::format(" and {} more", what.size() - namedAtMost) : "");
}

} // namespace holdfast
