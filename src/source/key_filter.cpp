#include "source/key_filter.hpp"

#include "source/git.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <git2/sys/filter.h>
#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h> // of 1.8 and later
#endif

namespace holdfast {

namespace {

constexpr auto filterName = "noprivatekeys";
constexpr std::array<std::string_view, 3> keyNames{"privatekey", "publickey", "presharedkey"};
constexpr std::string_view keyFolder = "config/wireguard/";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool startsWithLetters(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(),
                                                      [](char expected, char c) { return expected == lower(c); });
}

std::size_t skip(std::string_view text, std::size_t from, std::string_view set) {
    return std::min(text.find_first_not_of(set, from), text.size());
}

/// Where the value begins if an assignment to a key begins at `from`: behind "=" and any blanks.
std::optional<std::size_t> valueOfKey(std::string_view line, std::size_t from) {
    for (const auto name : keyNames) {
        if (!startsWithLetters(line.substr(from), name)) continue;
        auto at = from + name.size();
        if (at < line.size() && line[at] == ':') at = skip(line, at + 1, "0123456789");
        at = skip(line, at, " \t");
        if (at < line.size() && line[at] == '=') return skip(line, at + 1, " \t");
    }
    return std::nullopt;
}

void appendWithoutKeys(std::string& out, std::string_view line) {
    for (std::size_t at = 0; at < line.size();) {
        const auto value = valueOfKey(line, at);
        if (!value) {
            out += line[at++];
            continue;
        }
        const bool quoted = *value < line.size() && (line[*value] == '"' || line[*value] == '\'');
        if (!quoted) {
            out += line.substr(at, line.find('=', at) + 1 - at);
            return;
        }
        out += line.substr(at, *value + 1 - at);
        at = line.find(line[*value], *value + 1);
        if (at == std::string_view::npos) return;
        out += line[at++];
    }
}

thread_local FilterScope* currentScope = nullptr;

/// Collects a file, and sends it on without its keys when it is complete.
struct KeyStream : git_writestream {
    explicit KeyStream(git_writestream* to)
        : git_writestream{&KeyStream::take, &KeyStream::finish, &KeyStream::drop}, next(to) {}

    static int take(git_writestream* self, const char* bytes, std::size_t length) noexcept {
        try {
            static_cast<KeyStream*>(self)->text.append(bytes, length);
            return 0;
        } catch (...) {
            git_error_set_oom();
            return -1;
        }
    }
    static int finish(git_writestream* self) noexcept {
        try {
            const auto* stream = static_cast<KeyStream*>(self);
            const auto clean = withoutKeys(stream->text);
            const int written = stream->next->write(stream->next, clean.data(), clean.size());
            return written < 0 ? written : stream->next->close(stream->next);
        } catch (...) {
            git_error_set_oom();
            return -1;
        }
    }
    static void drop(git_writestream* self) noexcept { delete static_cast<KeyStream*>(self); }

    git_writestream* next;
    std::string text;
};

bool wantsKeyFilter(const FilterScope& scope, const git_filter_source* source) {
    scope.stop().check();
    auto* repository = git_filter_source_repo(source);
    const char* path = git_filter_source_path(source);
    if (scope.flashDrive() && mayHoldKeys(path)) return true;

    std::array<const char*, 2> names{"filter", "working-tree-encoding"};
    std::array<const char*, 2> values{};
    git::check(
        git_attr_get_many(values.data(), repository, GIT_ATTR_CHECK_FILE_THEN_INDEX, path, names.size(), names.data()),
        fmt::format("The git attributes of {} cannot be read", path));
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (git_attr_value(values[i]) != GIT_ATTR_VALUE_STRING) continue;
        if (i == 0 && std::string_view(values[i]) == filterName) return true;
        throw Error(fmt::format(
            "The file {} in {} has the git attribute {}={}, which git applies with a program that Holdfast does "
            "not run. Commit the file with git before the backup, or take the attribute away.",
            path, git_repository_workdir(repository), names[i], values[i]));
    }
    return false;
}

int checkFile(git_filter*, void**, const git_filter_source* source, const char**) noexcept {
    if (!currentScope || git_filter_source_mode(source) != GIT_FILTER_TO_ODB) return GIT_PASSTHROUGH;
    try {
        return wantsKeyFilter(*currentScope, source) ? 0 : GIT_PASSTHROUGH;
    } catch (...) {
        return currentScope->keep(std::current_exception());
    }
}

int makeStream(git_writestream** out, git_filter*, void**, const git_filter_source*, git_writestream* next) noexcept {
    try {
        *out = new KeyStream(next);
        return 0;
    } catch (...) {
        git_error_set_oom();
        return -1;
    }
}

} // namespace

std::string withoutKeys(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of("\r\n"), text.size());
        appendWithoutKeys(out, text.substr(0, end));
        const auto next = skip(text, end, "\r\n");
        out += text.substr(end, next - end);
        text.remove_prefix(next);
    }
    return out;
}

bool mayHoldKeys(std::string_view path) { return startsWithLetters(path, keyFolder); }

void registerKeyFilter() {
    static git_filter filter = [] {
        git_filter made{};
        made.version = GIT_FILTER_VERSION;
        made.check = checkFile; // no attributes named, so it is asked about every file
        made.stream = makeStream;
        return made;
    }();
    git::check(git_filter_register(filterName, &filter, GIT_FILTER_DRIVER_PRIORITY),
               "The key filter cannot be registered");
}

FilterScope::FilterScope(bool flashDrive, const Stop& stop) : flashDrive_(flashDrive), stop_(stop) {
    currentScope = this;
}
FilterScope::~FilterScope() { currentScope = nullptr; }

int FilterScope::keep(std::exception_ptr failure) {
    if (!failure_) failure_ = std::move(failure);
    git_error_set_str(GIT_ERROR_CALLBACK, "stopped by Holdfast");
    return GIT_EUSER;
}

void FilterScope::rethrow() {
    if (const auto failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
}

} // namespace holdfast
