#pragma once

#include "util/error.hpp"

#include <memory>
#include <string>

#include <git2.h>

/// libgit2 as C++: owners for its handles, exceptions for its return values.
namespace holdfast::git {

template<auto Free>
struct Freer {
    template<typename T>
    void operator()(T* thing) const {
        Free(thing);
    }
};

using Repository = std::unique_ptr<git_repository, Freer<git_repository_free>>;
using Config = std::unique_ptr<git_config, Freer<git_config_free>>;
using Index = std::unique_ptr<git_index, Freer<git_index_free>>;
using Odb = std::unique_ptr<git_odb, Freer<git_odb_free>>;
using Reference = std::unique_ptr<git_reference, Freer<git_reference_free>>;
using ReferenceIterator = std::unique_ptr<git_reference_iterator, Freer<git_reference_iterator_free>>;
using Commit = std::unique_ptr<git_commit, Freer<git_commit_free>>;
using Tree = std::unique_ptr<git_tree, Freer<git_tree_free>>;
using Signature = std::unique_ptr<git_signature, Freer<git_signature_free>>;

/// What libgit2 could not do; `code` is its GIT_E… value.
class Failure : public Error {
  public:
    Failure(int code, const std::string& what) : Error(what), code_(code) {}
    [[nodiscard]] int code() const { return code_; }

  private:
    int code_;
};

/// Starts the library once for the program, with settings that make it depend on nothing but the repository and
/// /etc/gitconfig: a HOME that happens to be set changes nothing.
void useLibrary();

/// Why the last call on this thread failed, without a full stop.
std::string lastMessage();

/// Throws `Failure` for a negative `result`: "<what>: <libgit2's message>."
void check(int result, const std::string& what);

/// As check(), for a call that gives a handle: `own<Tree>(&git_tree_lookup, "…", repository, &id)`.
template<typename Owner, typename Call, typename... Arguments>
Owner own(Call call, const std::string& what, Arguments... arguments) {
    typename Owner::pointer raw = nullptr;
    check(call(&raw, arguments...), what);
    return Owner(raw);
}

std::string toString(const git_oid& id);

} // namespace holdfast::git
