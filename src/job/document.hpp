#pragma once

#include "job/job.hpp"
#include "util/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// The most that a job document or the settings may have, as text.
constexpr std::size_t maxDocumentSize = 64 * 1024;
/// The deepest nesting of objects and arrays in them. A job needs four levels.
constexpr std::size_t maxDocumentDepth = 16;

/// A text that is no document at all: too large, not JSON, nested too deeply, or with one key twice.
class BadDocument : public Error {
  public:
    explicit BadDocument(Problem problem) : Error(problem.message), problem_(std::move(problem)) {}
    [[nodiscard]] const Problem& problem() const { return problem_; }

  private:
    Problem problem_;
};

/// Parses JSON that comes from outside, within the bounds above. Throws `BadDocument`.
nlohmann::json parseDocument(const std::string& text);

/// Checks the bounds above for a value that is already parsed. Throws `BadDocument`.
void checkBounds(const nlohmann::json& document);

/// The document without the members of objects that are null, at every level: null counts as absent.
nlohmann::json withoutNulls(const nlohmann::json& document);

/// `text` in quotes for a message: short, on one line, and valid UTF-8 whatever it holds.
std::string shown(std::string_view text);

} // namespace holdfast
