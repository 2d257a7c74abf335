#include "source/git.hpp"

#include "source/key_filter.hpp"

#include <fmt/format.h>

namespace holdfast::git {

namespace {

constexpr ssize_t objectCache = 8 * 1024 * 1024;
constexpr std::size_t packWindow = 4 * 1024 * 1024;
constexpr std::size_t packMapped = 64 * 1024 * 1024;

class Library {
  public:
    Library() {
        git_libgit2_init();
        for (const int level : {GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_PROGRAMDATA}) {
            git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
        }
        git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, objectCache);
        git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, packWindow);
        git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, packMapped);
        registerKeyFilter();
    }
    ~Library() { git_libgit2_shutdown(); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
};

} // namespace

void useLibrary() { static const Library library; }

std::string lastMessage() {
    const git_error* error = git_error_last();
    std::string message = error && error->message ? error->message : "no reason was given";
    while (message.ends_with('.') || message.ends_with('\n')) message.pop_back();
    return message;
}

void check(int result, const std::string& what) {
    if (result < 0) throw Failure(result, fmt::format("{}: {}.", what, lastMessage()));
}

std::string toString(const git_oid& id) {
    char text[GIT_OID_HEXSZ + 1];
    return git_oid_tostr(text, sizeof text, &id);
}

} // namespace holdfast::git
