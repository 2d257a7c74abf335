#include "holdfastctl/output.hpp"

#include "holdfastctl/service_error.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <cerrno>
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

/// Returns errno, or 0.
int writeTo(std::FILE* stream, const std::string& text) {
    const bool whole = std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
    return whole ? 0 : errno;
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

/// Leaves it as it is where there is no room to speak of.
void cutLastColumn(std::vector<std::vector<std::string>>& lines, std::size_t width) {
    constexpr std::size_t least = 16;
    std::vector<std::size_t> widths(lines.front().size());
    for (const auto& cells : lines) {
        for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], displayWidth(cells[i]));
    }
    std::size_t used = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) used += widths[i] + 2;
    if (width < used + least) return;
    for (auto& cells : lines) {
        if (cells.size() < widths.size() || displayWidth(cells.back()) <= width - used) continue;
        cells.back() = cutToWidth(cells.back(), width - used - 1) + "…";
    }
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

void Output::print(const std::string& text) {
    const int error = writeTo(stdout, text);
    if (writeError_ == 0) writeError_ = error;
}

void Output::line(std::string_view text) { print(harmless(text) + "\n"); }

void Output::lines(std::string_view text) { print(harmlessLines(text)); }

void Output::table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                   std::optional<std::size_t> stateColumn, std::optional<std::size_t> alertColumn) {
    std::vector<std::vector<std::string>> lines = {header};
    for (const auto& row : rows) {
        auto& cells = lines.emplace_back(row);
        std::transform(cells.begin(), cells.end(), cells.begin(), [](const auto& cell) { return harmless(cell); });
    }
    if (onTerminal_) cutLastColumn(lines, columns());
    print(formatTable(lines, [&](std::size_t row, std::size_t column, const std::string& cell) {
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
    print(formatTable(rows));
}

void Output::document(const nlohmann::ordered_json& value) {
    print(json() ? dumped(value, 2, true) : harmlessLines(dumped(value, 2, false)));
}

void Output::jsonLine(const nlohmann::json& value) { print(dumped(value, -1, true)); }

void Output::liveLine(std::string_view text) { print("\r" + cutToWidth(harmless(text), columns() - 1) + "\x1b[K"); }

void Output::endLiveLine() { print("\r\x1b[K"); }

std::size_t Output::columns() const {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2) return 80;
    return size.ws_col;
}

void Output::hint(std::string_view text) { writeTo(stderr, harmlessLines(text) + "\n"); }

void Output::error(const std::exception& error) {
    const auto* service = dynamic_cast<const ServiceError*>(&error);
    const std::vector<Problem> none;
    const auto& problems = service != nullptr ? service->problems() : none;
    const std::string name = service != nullptr ? service->name() : "org.holdfast1.Error.Failed";
    if (json()) return jsonLine(errorDocument(name, error.what(), problems));

    writeTo(stderr, painted("holdfastctl:", red, errorColours_) + " " + harmlessLines(error.what()) + "\n");
    for (const auto& problem : problems) {
        const auto where = problem.pointer.empty() ? "" : problem.pointer + ": ";
        writeTo(stderr, "  " + harmless(where + problem.message) + "\n");
    }
}

} // namespace holdfast::ctl
