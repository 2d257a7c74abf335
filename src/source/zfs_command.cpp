#include "source/zfs_command.hpp"

#include "util/child.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <sstream>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

/// No bound of ours: the callers have their own. A pool that has lost its disks makes zfs wait for ever.
constexpr auto longest = 24h;

using Phrases = std::vector<std::string_view>;

bool containsAny(std::string_view text, const Phrases& phrases) {
    return std::any_of(phrases.begin(), phrases.end(),
                       [&](std::string_view phrase) { return text.find(phrase) != text.npos; });
}

/// The messages of libzfs, which it never translates, with what each means for a backup. The first that fits counts.
struct Meaning {
    Phrases phrases;
    std::string_view advice;
};

const std::array<Meaning, 8> meanings{{
    {{"ermission denied"}, "ZFS does not permit it."},
    {{"failed to initialize ZFS library", "ZFS modules", "/dev/zfs"},
     "ZFS does not run on this machine: load its kernel module, or start zfs-fuse."},
    {{"does not exist", "no such pool"},
     "There is no such dataset; \"zfs list\" shows those that there are. Is its pool imported?"},
    {{"raw flag", "key not loaded", "encryption key", "must be loaded"},
     "The dataset is encrypted: set raw to true in the job to send it as it is, or load its key."},
    {{"is busy", "being held"}, "Something uses it, such as a hold, a clone or another send."},
    {{"out of space", "No space left", "quota exceeded"}, "The pool is full, or the dataset's quota is."},
    {{"invalid option", "unrecognized command", "not supported", "must be upgraded", "unsupported"},
     "The ZFS that is installed, or the version of the pool, does not support this."},
    {{"too long"}, "The snapshot's name would be too long: shorten snapshotName in the job."},
}};

} // namespace

SendOptions parseSendUsage(std::string_view usage) {
    auto form = usage.find("send [-");
    if (form == usage.npos) return {};
    form += 4;
    const auto next = usage.find("\tsend ", form);
    const auto text = usage.substr(form, next == usage.npos ? next : next - form);

    std::string letters;
    for (auto at = text.find("[-"); at != text.npos; at = text.find("[-", at + 1)) {
        for (auto letter = at + 2; letter < text.size() && std::isalpha(static_cast<unsigned char>(text[letter])) != 0;
             ++letter) {
            letters += text[letter];
        }
    }
    return SendOptions(letters);
}

std::optional<std::uint64_t> parseEstimate(std::string_view text) {
    constexpr std::string_view word = "size\t";
    const auto at = text.rfind(word);
    if (at == text.npos || (at > 0 && text[at - 1] != '\n')) return std::nullopt;
    const auto digits = text.substr(at + word.size());
    std::uint64_t size = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    const bool whole = end == digits.data() + digits.size() || *end == '\n';
    if (failed != std::errc{} || !whole) return std::nullopt;
    return size;
}

std::vector<PropertyLine> parseProperties(const std::string& text) {
    std::vector<PropertyLine> lines;
    std::istringstream input(text);
    for (std::string line; std::getline(input, line);) {
        PropertyLine parsed;
        std::istringstream fields(line);
        std::getline(fields, parsed.name, '\t');
        std::getline(fields, parsed.value, '\t');
        std::getline(fields, parsed.source, '\t');
        lines.push_back(std::move(parsed));
    }
    return lines;
}

std::string parseVersion(std::string_view text) {
    constexpr std::string_view sentence = "This system is currently running ZFS ";
    auto line = text.substr(0, text.find('\n'));
    if (line.starts_with("zfs-")) return std::string(line);
    if (!line.starts_with(sentence)) return {};
    line.remove_prefix(sentence.size());
    return std::string(line.substr(0, line.find('.')));
}

bool saysAbsent(std::string_view text) { return containsAny(text, {"does not exist", "no such pool"}); }

std::string explainZfs(std::string_view doing, const std::string& text) {
    const auto meaning = std::find_if(meanings.begin(), meanings.end(),
                                      [&](const Meaning& known) { return containsAny(text, known.phrases); });
    const auto said = text.empty() ? std::string("zfs did not say why.") : fmt::format("zfs said: {}", text);
    if (meaning == meanings.end()) return fmt::format("Could not {}. {}", doing, said);
    return fmt::format("Could not {}. {} {}", doing, meaning->advice, said);
}

awaitable<ZfsAnswer> tryZfs(std::vector<std::string> words) {
    ChildSpec spec;
    spec.argv = std::move(words);
    spec.argv.insert(spec.argv.begin(), "zfs");
    auto output = co_await runChild(spec, longest);
    ZfsAnswer answer;
    answer.ok = output.status.ok();
    answer.out = std::move(output.out);
    answer.error = std::move(output.errorTail);
    if (!answer.ok && answer.error.empty()) answer.error = fmt::format("(zfs {})", output.status.describe());
    co_return answer;
}

awaitable<std::string> runZfs(std::vector<std::string> words, std::string doing) {
    auto answer = co_await tryZfs(std::move(words));
    if (!answer.ok) throw Error(explainZfs(doing, answer.error));
    co_return std::move(answer.out);
}

awaitable<SendOptions> askSendOptions() {
    std::vector<std::string> words{"send"};
    const auto answer = co_await tryZfs(std::move(words));
    co_return parseSendUsage(answer.error);
}

awaitable<bool> askBookmarks() {
    std::vector<std::string> words{"bookmark"};
    const auto answer = co_await tryZfs(std::move(words));
    co_return answer.error.find("unrecognized command") == std::string::npos;
}

awaitable<std::string> askVersion() {
    std::vector<std::string> words{"version"};
    auto answer = co_await tryZfs(std::move(words));
    if (!answer.ok) {
        words = {"upgrade"};
        answer = co_await tryZfs(std::move(words));
    }
    co_return parseVersion(answer.out);
}

awaitable<std::string> zfsProperty(std::string property, std::string of) {
    std::vector<std::string> words{"get", "-H", "-p", "-o", "value", property, of};
    auto doing = fmt::format("read the property {} of {}", property, of);
    auto value = co_await runZfs(std::move(words), std::move(doing));
    value.erase(std::min(value.find('\n'), value.size()));
    co_return value;
}

} // namespace holdfast
