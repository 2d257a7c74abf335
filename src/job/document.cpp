#include "job/document.hpp"

#include "util/json.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using nlohmann::json;

namespace {

[[noreturn]] void refuse(std::string code, std::string message, std::string pointer = {}) {
    throw BadDocument({std::move(pointer), std::move(code), std::move(message)});
}

void checkSize(std::size_t size) {
    if (size > maxDocumentSize) {
        refuse("too-large", fmt::format("The document has {} bytes; it may have at most {}", size, maxDocumentSize));
    }
}

[[noreturn]] void refuseDepth() {
    refuse("too-deep", fmt::format("The document is nested more than {} levels deep", maxDocumentDepth));
}

bool isDeeperThan(const json& value, std::size_t levels) {
    if (!value.is_structured()) return false;
    if (levels == 0) return true;
    return std::any_of(value.begin(), value.end(), [&](const json& child) { return isDeeperThan(child, levels - 1); });
}

/// Watches the parser: it refuses depth before it is built up, and keys that the parsed value would silently lose.
class ParseGuard {
  public:
    bool operator()(int depth, json::parse_event_t event, const json& parsed) {
        using Event = json::parse_event_t;
        switch (event) {
        case Event::object_start:
        case Event::array_start:
            if (static_cast<std::size_t>(depth) >= maxDocumentDepth) refuseDepth();
            levels_.push_back({event == Event::array_start, {}, {}});
            break;
        case Event::object_end:
        case Event::array_end:
            levels_.pop_back();
            break;
        case Event::key:
            addKey(parsed.get_ref<const std::string&>());
            break;
        case Event::value:
            break;
        }
        return true;
    }

  private:
    struct Level {
        bool isArray;
        std::set<std::string> keys;
        std::string key;
    };

    void addKey(const std::string& key) {
        auto& level = levels_.back();
        level.key = key;
        if (!level.keys.insert(key).second) {
            refuse("duplicate-field", fmt::format("The field {} is there more than once", shown(key)), pointer());
        }
    }

    /// To the last key, or to the array around it: the parser does not count an array's elements.
    std::string pointer() const {
        json::json_pointer path;
        for (const auto& level : levels_) {
            if (level.isArray) break;
            path /= level.key;
        }
        return path.to_string();
    }

    std::vector<Level> levels_;
};

/// "line 3, column 7" of the byte at which the parser stopped.
std::string position(const std::string& text, std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(byte, 1, text.size() + 1) - 1);
    const auto line = 1 + std::count(text.begin(), end, '\n');
    const auto lineStart = std::find(std::make_reverse_iterator(end), text.rend(), '\n').base();
    return fmt::format("line {}, column {}", line, 1 + (end - lineStart));
}

/// What the parser says, without its own prefix and without what it read last, which may be long or not be UTF-8.
std::string reason(std::string_view what) {
    if (what.find("ill-formed UTF-8") != what.npos) return "invalid UTF-8";
    if (const auto colon = what.find(": "); colon != what.npos) what.remove_prefix(colon + 2);
    return std::string(what.substr(0, what.find("; last read:")));
}

} // namespace

json parseDocument(const std::string& text) {
    checkSize(text.size());
    ParseGuard guard;
    const auto watch = [&](int depth, json::parse_event_t event, const json& parsed) {
        return guard(depth, event, parsed);
    };
    try {
        return json::parse(text, watch);
    } catch (const json::parse_error& error) {
        refuse("json", fmt::format("The document is not valid JSON at {}: {}", position(text, error.byte),
                                   reason(error.what())));
    } catch (const json::out_of_range&) {
        refuse("json", "The document is not valid JSON: it holds a number that is too large");
    }
}

void checkBounds(const json& document) {
    if (isDeeperThan(document, maxDocumentDepth)) refuseDepth();
    try {
        checkSize(document.dump().size());
    } catch (const json::type_error&) {
        refuse("json", "The document holds text that is not valid UTF-8");
    }
}

json withoutNulls(const json& document) {
    if (document.is_object()) {
        json kept = json::object();
        for (const auto& [key, value] : document.items()) {
            if (!value.is_null()) kept[key] = withoutNulls(value);
        }
        return kept;
    }
    if (document.is_array()) {
        json kept = json::array();
        for (const auto& value : document) kept.push_back(withoutNulls(value));
        return kept;
    }
    return document;
}

std::string shown(std::string_view text) {
    constexpr std::size_t longest = 64;
    const bool cut = text.size() > longest;
    auto end = std::min(text.size(), longest);
    while (cut && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end; // not within a character
    auto line = compact(std::string(text.substr(0, end)));
    if (cut) line.insert(line.size() - 1, "…");
    return line;
}

} // namespace holdfast
