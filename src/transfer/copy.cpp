#include "transfer/copy.hpp"

#include "transfer/remote_control.hpp"
#include "transfer/stall.hpp"
#include "util/async.hpp"
#include "util/child.hpp"
#include "util/format.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using std::chrono::microseconds;

namespace {

constexpr auto tick = 500ms;
constexpr std::size_t keptLines = 2000; // of standard error: rclone has a line there for each file that it leaves out

std::string bandwidth(std::uint64_t rate) { return rate == 0 ? "off" : fmt::format("{}B", rate); }

std::vector<std::string> copyArguments(const CopySpec& spec, std::uint64_t rate) {
    // --check-first: the totals are known before the first byte. --retries=1: the attempts are ours. Of the statistics,
    // only those at the end are wanted.
    std::vector<std::string> arguments{"copy",
                                       "--check-first",
                                       "--create-empty-src-dirs",
                                       "--retries=1",
                                       "--no-unicode-normalization", // two names of one spelling are two files
                                       "--use-json-log",
                                       "--stats=1000h",
                                       "--stats-log-level=NOTICE",
                                       "--bwlimit=" + bandwidth(rate)};
    for (auto& flag : RemoteControl::flags()) arguments.push_back(std::move(flag));
    if (spec.asItIs) arguments.emplace_back("--local-no-check-updated");
    arguments.insert(arguments.end(), spec.options.begin(), spec.options.end());
    arguments.insert(arguments.end(), {"--", spec.from, spec.to});
    return arguments;
}

/// What rclone has written to standard error: a JSON object a line, and at last plain words.
struct CopyLog {
    std::vector<std::string> notices; ///< "file: what was not done with it"
    std::vector<std::string> twins;   ///< names that it takes for the same as another's
    std::vector<std::string> changed; ///< files that did not lie still
    bool otherErrors = false;         ///< of files
    std::uint64_t bytes = 0;          ///< by the counts that it ends with
};

bool says(const std::string& message, std::string_view words) { return message.find(words) != std::string::npos; }

void takeFileLine(CopyLog& log, const std::string& file, const std::string& message, bool error) {
    if (error && says(message, "source file is being updated"))
        log.changed.push_back(file);
    else if (error)
        log.otherErrors = true;
    else if (says(message, "found in source - ignoring"))
        log.twins.push_back(file);
    else
        log.notices.push_back(fmt::format("{}: {}", file, message));
}

CopyLog parseLog(const std::string& errorOutput) {
    CopyLog log;
    std::istringstream lines(errorOutput);
    for (std::string line; std::getline(lines, line);) {
        const auto json = nlohmann::json::parse(line, nullptr, false);
        if (!json.is_object()) continue;
        if (const auto stats = json.find("stats"); stats != json.end()) {
            log.bytes = stats->value("bytes", std::uint64_t{0});
        } else if (const auto object = json.find("object"); object != json.end()) {
            takeFileLine(log, object->get<std::string>(), json.value("msg", ""), json.value("level", "") == "error");
        }
    }
    return log;
}

/// rclone takes names for the same that are told apart here, and copies one of the files only.
TransferError leftOut(const std::vector<std::string>& twins) {
    return {fmt::format("{} would be left out: rclone takes its name for that of another file beside it. Rename one of "
                        "them, or leave it out with rcloneOptions.exclude.{}",
                        twins.front(), twins.size() > 1 ? fmt::format(" There are {} such files.", twins.size()) : ""),
            false};
}

/// A running `rclone copy`, watched through its remote control.
class Copy {
  public:
    Copy(asio::any_io_executor executor, const Rclone& rclone, const CopySpec& spec, Progress& progress,
         const RateLimiter& limiter, TellCounts tell)
        : progress_(progress), limiter_(limiter), tell_(std::move(tell)), rate_(limiter.rate()),
          child_(executor, childSpec(rclone, spec)) {}

    awaitable<ExitStatus> wait() { return child_.wait(); }
    awaitable<ExitStatus> end(microseconds grace) { return child_.end(grace); }
    [[nodiscard]] std::string errorTail() const { return child_.errorTail(); }

    /// Until cancelled. A call that is not answered is made again: rclone may be too busy, or just be ending.
    awaitable<void> watch() {
        while (!control_.findPort(child_.errorTail())) co_await sleepFor(20ms);
        while (true) {
            auto asking = askStats();
            co_await caught(std::move(asking));
            // It may have been answered, and rclone ended, in the same moment: then there is no failure.
            if (isCancelled(co_await asio::this_coro::cancellation_state)) co_return;
            co_await sleepFor(tick);
        }
    }

    /// Counts what the last tick has not seen.
    Copied finish() {
        auto log = parseLog(child_.errorTail());
        if (!log.twins.empty()) throw leftOut(log.twins);
        progress_.count(log.bytes, log.bytes, false, Progress::Clock::now());
        progress_.finish();
        return {std::move(log.notices)};
    }

  private:
    ChildSpec childSpec(const Rclone& rclone, const CopySpec& spec) {
        auto child = rclone.command(copyArguments(spec, rate_));
        for (auto& variable : control_.environment()) child.environment.push_back(std::move(variable));
        child.errorLines = keptLines;
        return child;
    }

    /// The statistics first: a new rate is taken only when nobody waits for his turn under the old one.
    awaitable<void> askStats() {
        nlohmann::json none = nlohmann::json::object();
        const auto stats = co_await control_.call("core/stats", std::move(none));
        take(stats);
        if (const auto rate = limiter_.rate(); rate != rate_) {
            nlohmann::json wanted;
            wanted["rate"] = bandwidth(rate);
            co_await control_.call("core/bwlimit", std::move(wanted));
            rate_ = rate;
        }
    }

    void take(const nlohmann::json& stats) {
        const auto number = [&](const char* name) { return stats.value(name, std::uint64_t{0}); };
        const std::array seen{number("bytes"), number("totalBytes"), number("checks"), number("transfers")};
        const bool comparing = number("bytes") == 0 && number("transfers") == 0;
        if (seen != seen_) progress_.count(number("bytes"), number("totalBytes"), comparing, Progress::Clock::now());
        seen_ = seen;

        CopyCounts counts;
        counts.filesDone = number("transfers");
        if (const auto files = stats.find("transferring"); files != stats.end()) {
            for (const auto& file : *files) counts.inFlight.push_back(file.value("name", ""));
        }
        if (!comparing) counts.filesTotal = std::max(number("totalTransfers"), counts.filesDone);
        tell_(counts);
    }

    Progress& progress_;
    const RateLimiter& limiter_;
    TellCounts tell_;
    RemoteControl control_;
    std::uint64_t rate_;
    std::array<std::uint64_t, 4> seen_{};
    Child child_;
};

/// Nothing but files that do not lie still.
void throwIfChanged(const CopyLog& log, const TransferError& failure) {
    if (!log.changed.empty() && !log.otherErrors) throw ChangedMeanwhile(failure.what(), log.changed);
}

std::vector<std::string> flagsFor(const nlohmann::json& options,
                                  const std::function<bool(const std::string&)>& chosen) {
    std::vector<std::string> flags;
    const auto add = [&](const std::string& name, const nlohmann::json& value) {
        const auto text = value.is_string() ? value.get<std::string>() : value.dump();
        flags.push_back(fmt::format("--{}={}", name, text));
    };
    for (const auto& [name, value] : options.items()) {
        if (!chosen(name)) continue;
        if (!value.is_array()) add(name, value);
        if (value.is_array()) {
            for (const auto& one : value) add(name, one);
        }
    }
    return flags;
}

template<std::size_t N>
bool isOneOf(const std::string& name, const std::array<std::string_view, N>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 3> linkNames{"links", "copy-links", "skip-links"};
constexpr std::array<std::string_view, 10> filterNames{"include",  "exclude",        "filter",  "exclude-if-present",
                                                       "min-size", "max-size",       "min-age", "max-age",
                                                       "checkers", "one-file-system"};

} // namespace

awaitable<Copied> copyFiles(const Rclone& rclone, CopySpec spec, Progress& progress, const RateLimiter& limiter,
                            TellCounts tell) {
    Copy copy(co_await asio::this_coro::executor, rclone, spec, progress, limiter, std::move(tell));
    std::exception_ptr failure;
    std::optional<ExitStatus> status;
    try {
        const microseconds limit(spec.stallTimeout);
        auto watching = copy.watch();
        const auto first = co_await (copy.wait() || caught(std::move(watching)) || untilStalled(progress, limit));
        if (const auto* ended = std::get_if<0>(&first)) status = *ended;
    } catch (...) {
        failure = std::current_exception();
    }
    if (status && status->ok()) co_return copy.finish();
    if (status) {
        const auto ofRclone =
            rcloneFailure(fmt::format("copy {} to {}", spec.from, spec.to), *status, copy.errorTail());
        throwIfChanged(parseLog(copy.errorTail()), ofRclone);
        throw ofRclone;
    }

    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (toldToStop) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await copy.end(microseconds(spec.killDelay));
    if (toldToStop) throw boost::system::system_error(asio::error::operation_aborted);
    if (failure) std::rethrow_exception(failure);
    throw TransferError(fmt::format("Nothing has moved for {}; the attempt was ended.", formatSpan(spec.stallTimeout)),
                        true);
}

std::vector<std::string> copyFlags(const nlohmann::json& rcloneOptions) {
    return flagsFor(rcloneOptions, [](const std::string&) { return true; });
}

Comparison comparisonFor(const nlohmann::json& rcloneOptions, const RemoteFeatures& features) {
    const bool hashes = !features.hashes.empty();
    if (rcloneOptions.value("size-only", false)) return {{}, "size"};
    if (rcloneOptions.value("checksum", false) && hashes) return {{}, "hash"};
    if (features.times) return {{"--checksum=false"}, "time"};
    if (hashes) return {{"--checksum=true"}, "hash"};
    return {{"--checksum=false", "--ignore-times=true"}, "nothing"};
}

std::vector<std::string> listFlags(const nlohmann::json& rcloneOptions) {
    return flagsFor(rcloneOptions,
                    [](const std::string& name) { return isOneOf(name, linkNames) || isOneOf(name, filterNames); });
}

std::vector<std::string> flagsToRestoreWith(const nlohmann::json& rcloneOptions) {
    std::vector<std::string> names;
    for (const char* name : {"links", "metadata"}) {
        if (rcloneOptions.value(name, false)) names.emplace_back(name);
    }
    return names;
}

std::vector<std::string> linkFlags(const nlohmann::json& rcloneOptions) {
    return flagsFor(rcloneOptions, [](const std::string& name) { return isOneOf(name, linkNames); });
}

} // namespace holdfast
