#include "util/text.hpp"

#include <algorithm>
#include <cwchar>
#include <locale.h>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace holdfast {
namespace {

/// Makes the C library decode UTF-8 for a moment, in this thread alone.
class Utf8Locale {
  public:
    Utf8Locale() : before_(::uselocale(utf8())) {}
    ~Utf8Locale() { ::uselocale(before_); }
    Utf8Locale(const Utf8Locale&) = delete;
    Utf8Locale& operator=(const Utf8Locale&) = delete;

  private:
    static locale_t utf8() {
        static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
        return locale;
    }
    locale_t before_;
};

struct Character {
    std::size_t bytes;           ///< at least 1
    std::optional<wchar_t> code; ///< nothing for a byte that is not UTF-8
};

bool isInside(wchar_t code, wchar_t first, wchar_t last) { return code >= first && code <= last; }

/// The C library decodes more than Unicode has: codes beyond its end, and those that are never a character, which D-Bus
/// and JSON libraries refuse.
bool isCharacter(wchar_t code) {
    return code <= 0x10ffff && (code & 0xfffe) != 0xfffe && !isInside(code, 0xd800, 0xdfff) &&
           !isInside(code, 0xfdd0, 0xfdef);
}

/// The character that `text`, which is not empty, begins with. Needs Utf8Locale.
Character firstCharacter(std::string_view text) {
    wchar_t code = 0;
    std::mbstate_t state{};
    const auto length = std::mbrtowc(&code, text.data(), text.size(), &state);
    if (length == static_cast<std::size_t>(-1) || length == static_cast<std::size_t>(-2)) return {1, std::nullopt};
    if (!isCharacter(code)) return {1, std::nullopt};
    return {std::max<std::size_t>(length, 1), code};
}

bool isHarmful(wchar_t code) {
    return code < 0x20 || isInside(code, 0x7f, 0x9f)           // C0, DEL, C1
           || code == 0x200b || isInside(code, 0x200e, 0x200f) // invisible, or marks of direction
           || isInside(code, 0x2028, 0x202e)                   // line breaks, overrides of direction
           || isInside(code, 0x2060, 0x206f) || code == 0x061c || code == 0xfeff;
}

std::string spelledOut(std::string_view bytes, std::optional<wchar_t> code) {
    if (code == L'\n') return "\\n";
    if (code == L'\t') return "\\t";
    if (code && *code > 0xff) return fmt::format("\\u{:04x}", static_cast<unsigned>(*code));
    const auto byte = code ? static_cast<unsigned>(*code) : static_cast<unsigned char>(bytes.front());
    return fmt::format("\\x{:02x}", byte);
}

std::string spellOutHarmful(std::string_view text, bool keepLines) {
    const Utf8Locale locale;
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const auto [bytes, code] = firstCharacter(text);
        const auto character = text.substr(0, bytes);
        const bool kept = code && (!isHarmful(*code) || (keepLines && *code == L'\n'));
        result += kept ? std::string(character) : spelledOut(character, code);
        text.remove_prefix(bytes);
    }
    return result;
}

std::size_t columnsOf(const Character& character) {
    return static_cast<std::size_t>(std::max(character.code ? ::wcwidth(*character.code) : 1, 0));
}

} // namespace

std::string harmless(std::string_view text) { return spellOutHarmful(text, false); }

std::string harmlessLines(std::string_view text) { return spellOutHarmful(text, true); }

std::string shortened(std::string_view text, std::size_t most) {
    constexpr std::string_view gap = " … ";
    if (text.size() <= most) return std::string(text);
    const auto isInsideCharacter = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
    };
    auto head = (most - gap.size()) / 4 * 3;
    auto tail = text.size() - (most - gap.size()) / 4;
    while (head > 0 && isInsideCharacter(head)) --head;
    while (tail < text.size() && isInsideCharacter(tail)) ++tail;
    return fmt::format("{}{}{}", text.substr(0, head), gap, text.substr(tail));
}

std::size_t displayWidth(std::string_view text) {
    const Utf8Locale locale;
    std::size_t width = 0;
    while (!text.empty()) {
        const auto character = firstCharacter(text);
        width += columnsOf(character);
        text.remove_prefix(character.bytes);
    }
    return width;
}

std::string cutToWidth(std::string_view text, std::size_t width) {
    const Utf8Locale locale;
    std::size_t used = 0;
    std::size_t end = 0;
    while (end < text.size()) {
        const auto character = firstCharacter(text.substr(end));
        used += columnsOf(character);
        if (used > width) break;
        end += character.bytes;
    }
    return std::string(text.substr(0, end));
}

std::string formatTable(const std::vector<std::vector<std::string>>& rows, const Paint& paint) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], displayWidth(row[i]));
    }
    std::string table;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        std::size_t gap = 0; // is written only when something follows it
        for (std::size_t column = 0; column < rows[row].size(); ++column) {
            const auto& cell = rows[row][column];
            if (!cell.empty()) {
                table.append(std::exchange(gap, 0), ' ');
                table += paint ? paint(row, column, cell) : cell;
            }
            gap += widths[column] - displayWidth(cell) + 2;
        }
        table += '\n';
    }
    return table;
}

} // namespace holdfast
