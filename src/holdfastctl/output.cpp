#include "holdfastctl/output.hpp"

#include "holdfastctl/service_error.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

constexpr std::string_view bold = "1";
constexpr std::string_view red = "31";

const std::map<std::string, std::string_view, std::less<>> stateColours = {
    {"done", "32"},       {"completed", "32"}, {"failed", red},   {"timeout", red},
    {"interrupted", red}, {"cancelled", "33"}, {"running", "36"}, {"starting", "36"},
};

void print(std::FILE* stream, const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
}

/// A terminal that understands escape sequences.
bool isTerminal(int fd) {
    const char* kind = std::getenv("TERM");
    return ::isatty(fd) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

bool mayColour(int fd) {
    const char* refused = std::getenv("NO_COLOR");
    return isTerminal(fd) && (refused == nullptr || *refused == '\0');
}

template<typename Json>
std::string dumped(const Json& value, int indent, bool ascii) {
    return value.dump(indent, ' ', ascii, Json::error_handler_t::replace) + "\n";
}

json toJson(const Problem& problem) {
    json object = {{"pointer", problem.pointer}, {"message", problem.message}};
    if (!problem.code.empty()) object["code"] = problem.code;
    return object;
}

json errorDocument(const std::string& name, const std::string& message, const std::vector<Problem>& problems) {
    json error = {{"name", name}, {"message", message}};
    for (const auto& problem : problems) error["problems"].push_back(toJson(problem));
    return {{"error", error}};
}

} // namespace

Output::Output(Format format)
    : format_(format), onTerminal_(isTerminal(STDOUT_FILENO)), colours_(mayColour(STDOUT_FILENO)),
      errorColours_(mayColour(STDERR_FILENO)) {}

std::string Output::painted(std::string_view text, std::string_view colour, bool on) const {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : std::string(text);
}

void Output::line(std::string_view text) { print(stdout, harmless(text) + "\n"); }

void Output::table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                   std::optional<std::size_t> stateColumn, std::optional<std::size_t> alertColumn) {
    std::vector<std::vector<std::string>> lines = {header};
    for (const auto& row : rows) {
        auto& cells = lines.emplace_back(row);
        std::transform(cells.begin(), cells.end(), cells.begin(), [](const auto& cell) { return harmless(cell); });
    }
    print(stdout, formatTable(lines, [&](std::size_t row, std::size_t column, const std::string& cell) {
              if (row == 0) return painted(cell, bold, colours_);
              if (column == alertColumn) return painted(cell, red, colours_);
              if (column != stateColumn) return cell;
              const auto colour = stateColours.find(cell.substr(0, cell.find(' ')));
              return colour == stateColours.end() ? cell : painted(cell, colour->second, colours_);
          }));
}

void Output::fields(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : fields) {
        if (!value.empty()) rows.push_back({name + ":", harmless(value)});
    }
    print(stdout, formatTable(rows));
}

void Output::document(const nlohmann::ordered_json& value) {
    print(stdout, json() ? dumped(value, 2, true) : harmlessLines(dumped(value, 2, false)));
}

void Output::jsonLine(const nlohmann::json& value) { print(stdout, dumped(value, -1, true)); }

void Output::liveLine(std::string_view text) {
    print(stdout, "\r" + cutToWidth(harmless(text), columns() - 1) + "\x1b[K");
}

void Output::endLiveLine() { print(stdout, "\r\x1b[K"); }

std::size_t Output::columns() const {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2) return 80;
    return size.ws_col;
}

void Output::hint(std::string_view text) { print(stderr, harmlessLines(text) + "\n"); }

void Output::error(const std::exception& error) {
    const auto* service = dynamic_cast<const ServiceError*>(&error);
    const std::vector<Problem> none;
    const auto& problems = service != nullptr ? service->problems() : none;
    const std::string name = service != nullptr ? service->name() : "org.holdfast1.Error.Failed";
    if (json()) return jsonLine(errorDocument(name, error.what(), problems));

    print(stderr, painted("holdfastctl:", red, errorColours_) + " " + harmlessLines(error.what()) + "\n");
    for (const auto& problem : problems) {
        const auto where = problem.pointer.empty() ? "" : problem.pointer + ": ";
        print(stderr, "  " + harmless(where + problem.message) + "\n");
    }
}

} // namespace holdfast::ctl
