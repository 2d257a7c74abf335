#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast::ctl {

enum class Format { Text, Json };

/// Everything that holdfastctl prints. Text that came from elsewhere is made harmless here, so that callers need not
/// think of it. Colours only on a terminal, and not with NO_COLOR.
class Output {
  public:
    explicit Output(Format format);

    [[nodiscard]] bool json() const { return format_ == Format::Json; }
    /// Whether people watch standard output.
    [[nodiscard]] bool onTerminal() const { return onTerminal_; }

    /// One line of text.
    void line(std::string_view text);
    /// Lines of text, as they are.
    void lines(std::string_view text);
    /// Columns with a header; on a terminal the last one is cut where it does not fit. `stateColumn` holds words such
    /// as "done" and "failed", which get their colours; what is in `alertColumn` is red.
    void table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
               std::optional<std::size_t> stateColumn = {}, std::optional<std::size_t> alertColumn = {});
    /// Names and values, aligned; those with an empty value are left out.
    void fields(const std::vector<std::pair<std::string, std::string>>& fields);
    /// An indented JSON document; with --json ASCII only.
    void document(const nlohmann::ordered_json& value);
    /// JSON on a line of its own, for streams of them.
    void jsonLine(const nlohmann::json& value);
    /// The line at the cursor, replacing the one before, until another of these or endLiveLine(). Only on a terminal.
    void liveLine(std::string_view text);
    void endLiveLine();
    /// Columns of the terminal.
    [[nodiscard]] std::size_t columns() const;

    /// Standard error, beside whatever is said on standard output: never in the way of a program that reads.
    void hint(std::string_view text);
    /// Standard error in text, a line `{"error": …}` on standard output in JSON.
    void error(const std::exception& error);

    /// Why not all of it came to standard output (errno); 0 if it did.
    [[nodiscard]] int writeError() const { return writeError_; }

  private:
    void print(const std::string& text);
    [[nodiscard]] std::string painted(std::string_view text, std::string_view colour, bool on) const;

    Format format_;
    bool onTerminal_;
    bool colours_;
    bool errorColours_;
    int writeError_ = 0;
};

} // namespace holdfast::ctl
