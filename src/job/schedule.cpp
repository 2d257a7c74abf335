#include "job/schedule.hpp"

#include "job/document.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

namespace {

constexpr std::size_t maxLength = 256;

constexpr std::string_view monthNames[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                           "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view dayNames[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/// One of the five columns of a cron line.
struct Column {
    std::string_view title;
    int first;
    int last;
    std::span<const std::string_view> names; ///< of first, first + 1, …
};

constexpr Column minutes{"minute", 0, 59, {}};
constexpr Column hours{"hour", 0, 23, {}};
constexpr Column days{"day of the month", 1, 31, {}};
constexpr Column months{"month", 1, 12, monthNames};
constexpr Column weekdays{"day of the week", 0, 7, dayNames};

std::string lowered(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
    std::vector<std::string> parts;
    while (true) {
        const auto end = text.find_first_of(separators);
        parts.emplace_back(text.substr(0, end));
        if (end == text.npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string> words(std::string_view text) {
    auto parts = split(text, " \t");
    std::erase(parts, "");
    return parts;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool digitsOnly = !text.empty() && text.front() != '-';
    if (!digitsOnly || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The values that one column of a cron line selects.
class CronField {
  public:
    CronField(const Column& column, const std::string& text) : column_(column), text_(text) {
        for (const auto& part : split(text, ",")) add(part);
        // cron's own rule: a field is unrestricted if it begins with a star, even one with a step
        restricted_ = !text.starts_with('*');
    }

    [[nodiscard]] bool restricted() const { return restricted_; }
    [[nodiscard]] const std::set<int>& values() const { return values_; }

    /// As systemd writes it: "*", or values and ranges.
    [[nodiscard]] std::string onCalendar() const {
        if (static_cast<int>(values_.size()) == column_.last - column_.first + 1) return "*";
        std::vector<std::string> parts;
        for (auto from = values_.begin(); from != values_.end();) {
            auto to = from;
            while (std::next(to) != values_.end() && *std::next(to) == *to + 1) ++to;
            parts.push_back(*from == *to ? fmt::format("{:02}", *from) : fmt::format("{:02}..{:02}", *from, *to));
            from = std::next(to);
        }
        return fmt::format("{}", fmt::join(parts, ","));
    }

  private:
    [[noreturn]] void refuse() const {
        throw Error(fmt::format("{} is not a {} of a cron line: write *, values from {} to {}, ranges such as {}-{}, "
                                "steps such as */2, or a list of these",
                                shown(text_), column_.title, column_.first, column_.last, column_.first, column_.last));
    }

    int value(const std::string& text) const {
        const auto name = std::find(column_.names.begin(), column_.names.end(), lowered(text));
        if (name != column_.names.end()) return column_.first + static_cast<int>(name - column_.names.begin());
        const auto given = number(text);
        if (!given || *given < column_.first || *given > column_.last) refuse();
        return *given;
    }

    void add(const std::string& part) {
        const auto stepped = split(part, "/");
        const auto range = split(stepped[0], "-");
        if (stepped.size() > 2 || range.size() > 2) refuse();

        const bool all = stepped[0] == "*";
        const int from = all ? column_.first : value(range[0]);
        const int to = all ? column_.last : value(range.back());
        const bool single = !all && range.size() == 1;
        const auto step = stepped.size() == 2 ? number(stepped[1]) : 1;
        if (to < from || !step || *step < 1 || *step > column_.last || (single && stepped.size() == 2)) refuse();
        for (int v = from; v <= to; v += *step) values_.insert(v);
    }

    Column column_;
    std::string text_;
    std::set<int> values_;
    bool restricted_ = true;
};

/// "Mon,Wed ", or nothing for every day. Both 0 and 7 are Sunday.
std::string weekdayPrefix(const CronField& field) {
    static constexpr std::string_view names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    std::set<int> chosen;
    for (const int day : field.values()) chosen.insert((day + 6) % 7);
    if (chosen.size() == 7) return {};
    std::vector<std::string_view> parts;
    for (const int day : chosen) parts.push_back(names[day]);
    return fmt::format("{} ", fmt::join(parts, ","));
}

std::vector<std::string> fromCron(const std::vector<std::string>& fields) {
    const CronField minute(minutes, fields[0]);
    const CronField hour(hours, fields[1]);
    const CronField day(days, fields[2]);
    const CronField month(months, fields[3]);
    const CronField weekday(weekdays, fields[4]);
    const auto time = fmt::format("{}:{}:00", hour.onCalendar(), minute.onCalendar());
    const auto onDays = fmt::format("*-{}-{} {}", month.onCalendar(), day.onCalendar(), time);
    if (!day.restricted() || !weekday.restricted()) return {weekdayPrefix(weekday) + onDays};

    const auto onWeekdays = fmt::format("{}*-{}-* {}", weekdayPrefix(weekday), month.onCalendar(), time);
    return {onDays, onWeekdays};
}

std::string fromNickname(const std::string& nickname) {
    static const std::map<std::string, std::string> nicknames{
        {"@hourly", "hourly"},   {"@daily", "daily"},   {"@midnight", "daily"}, {"@weekly", "Sun *-*-* 00:00:00"},
        {"@monthly", "monthly"}, {"@yearly", "yearly"}, {"@annually", "yearly"}};
    const auto found = nicknames.find(lowered(nickname));
    if (found != nicknames.end()) return found->second;
    throw Error(fmt::format("{} is not a schedule: of cron's names there are @hourly, @daily, @midnight, @weekly, "
                            "@monthly, @yearly and @annually",
                            shown(nickname)));
}

void checkCharacters(const std::string& schedule) {
    static constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                                " \t*,./:~+_-@";
    if (schedule.size() > maxLength) {
        throw Error(fmt::format("A schedule may have at most {} characters", maxLength));
    }
    if (schedule.find_first_not_of(allowed) != schedule.npos) {
        throw Error(fmt::format("{} is not a schedule: write systemd's OnCalendar form such as \"*-*-* 03:00:00\" or "
                                "\"Mon..Fri 22:30\", or a cron line such as \"0 3 * * *\"",
                                shown(schedule)));
    }
}

} // namespace

std::vector<std::string> toOnCalendar(const std::string& schedule) {
    checkCharacters(schedule);
    const auto parts = words(schedule);
    if (parts.empty()) return {};
    if (parts[0].starts_with('@') && parts.size() == 1) return {fromNickname(parts[0])};
    if (parts.size() == 5) return fromCron(parts);
    if (parts.size() > 5 || schedule.find('@') != schedule.npos) {
        throw Error(fmt::format("{} is not a schedule: a cron line has five fields, systemd's form at most four words",
                                shown(schedule)));
    }
    return {fmt::format("{}", fmt::join(parts, " "))};
}

} // namespace holdfast
