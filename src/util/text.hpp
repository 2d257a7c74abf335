#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// Text on its way to a terminal.
namespace holdfast {

/// `text` with everything that could steer a terminal or disguise what is shown spelled out (`\n`, `\x1b`, `\u202e`):
/// control characters, bytes that are not UTF-8, and marks that reorder or break lines. What comes out is one line.
std::string harmless(std::string_view text);

/// As harmless(), but keeps line breaks.
std::string harmlessLines(std::string_view text);

/// `text` (UTF-8) in at most `most` bytes: of a longer one, the beginning and the end, with "…" between them.
std::string shortened(std::string_view text, std::size_t most);

/// Bytes that the text of a failure has at most, wherever it is kept or shown.
inline constexpr std::size_t longestSentence = 2048;

/// Columns that `text` (UTF-8, harmless) takes on a terminal, whatever the locale: "é" 1, "界" 2.
std::size_t displayWidth(std::string_view text);

/// The longest beginning of `text` that takes at most `width` columns.
std::string cutToWidth(std::string_view text, std::size_t width);

/// Dresses a cell, say in a colour; what it adds must take no columns.
using Paint = std::function<std::string(std::size_t row, std::size_t column, const std::string& cell)>;

/// Lines of cells, columns aligned by display width and two spaces apart; no blanks at the end of a line. A short row
/// ends early. Each line ends in a line break.
std::string formatTable(const std::vector<std::vector<std::string>>& rows, const Paint& paint = {});

} // namespace holdfast
