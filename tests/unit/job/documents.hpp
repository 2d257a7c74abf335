#pragma once

#include "job/job.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast::test {

/// A valid job of each source, with as few fields as it takes.
nlohmann::json minimal(const std::string& type);

/// `document` with the value at `pointer` set (its parents made) or, for nothing, removed.
nlohmann::json with(nlohmann::json document, const std::string& pointer, nlohmann::json value);
nlohmann::json without(nlohmann::json document, const std::string& pointer);

/// What parseJob() says; nothing if it takes the document.
std::vector<Problem> problemsOf(const nlohmann::json& document);
std::vector<Problem> problemsOfText(const std::string& text);

/// "pointer code", one for each problem.
std::vector<std::string> codesOf(const nlohmann::json& document);

/// Writes `text` as it is.
void writeFile(const std::filesystem::path& path, const std::string& text);

} // namespace holdfast::test
