#include "holdfastctl/progress.hpp"

#include "util/format.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

constexpr auto timeBetweenLines = std::chrono::seconds(5);
constexpr std::size_t narrowestBar = 8;
constexpr std::size_t widestBar = 32;

std::uint64_t number(const json& run, const char* key) { return run.value(key, std::uint64_t{0}); }

/// Nothing while the total is unknown. An estimate is never reached before the end.
std::optional<double> fraction(const json& run) {
    const auto total = number(run, "bytesTotal");
    if (total == 0) return std::nullopt;
    const auto part = static_cast<double>(number(run, "bytesDone")) / static_cast<double>(total);
    return std::min(part, run.value("bytesTotalEstimated", false) ? 0.99 : 1.0);
}

const char* about(const json& run) { return run.value("bytesTotalEstimated", false) ? "~" : ""; }

std::string percent(const json& run) {
    const auto part = fraction(run);
    return part ? fmt::format("{}{}%", about(run), static_cast<int>(*part * 100)) : "";
}

std::string amount(const json& run) {
    const auto done = number(run, "bytesDone");
    const auto total = number(run, "bytesTotal");
    if (done == 0 && total == 0) return "";
    if (total == 0) return formatBytes(done);
    return fmt::format("{} of {}{}", formatBytes(done), about(run), formatBytes(total));
}

/// What follows the amount: speed, time, trouble.
std::string circumstances(const json& run) {
    std::string text;
    if (number(run, "rate") > 0) text += fmt::format(" at {}", formatRate(number(run, "rate")));
    if (number(run, "etaUSec") > 0) text += fmt::format(", {} left", formatSpan(number(run, "etaUSec")));
    if (number(run, "attempt") > 1)
        text += fmt::format(", attempt {} of {}", number(run, "attempt"), number(run, "maxAttempts"));
    if (run.value("stalled", false)) text += ", stalled";
    return text;
}

/// The phase, and what a run that waits is waiting for.
std::string heading(const json& run) {
    const auto phase = run.value("phase", "");
    const auto blockedOn = run.value("blockedOn", "");
    return blockedOn.empty() ? phase : fmt::format("{}, waits for {}", phase, blockedOn);
}

std::string ending(const json& run) {
    const auto result = run.value("result", "");
    const auto error = run.value("error", "");
    auto text = fmt::format("{}: {}", run.value("job", ""), result);
    if (result == "done") text += ", " + formatBytes(number(run, "bytesDone"));
    const auto started = number(run, "startedAt");
    const auto finished = number(run, "finishedAt");
    if (started > 0 && finished >= started) {
        text += fmt::format("{} {}", result == "done" ? " in" : " after", formatSpan(finished - started));
    }
    if (!error.empty()) text += ": " + error;
    return text;
}

/// Where it is, if it is there.
std::string broughtTo(const json& run) { return run.value("result", "") == "done" ? run.value("outputPath", "") : ""; }

/// A change of any of these is told at once.
std::string milestone(const json& run) {
    return fmt::format("{}|{}|{}", heading(run), number(run, "attempt"), run.value("stalled", false));
}

class BarView : public ProgressView {
  public:
    explicit BarView(Output& out) : out_(out) {}
    ~BarView() override {
        if (live_) out_.endLiveLine();
    }

    void show(const json& run) override {
        live_ = true;
        const auto part = fraction(run);
        if (!part) return out_.liveLine(progressText(run));
        const auto left = heading(run);
        const auto right = fmt::format(" {} {}{}", percent(run), amount(run), circumstances(run));
        const auto used = displayWidth(left) + displayWidth(right) + 2;
        const auto room = out_.columns() > used ? out_.columns() - used : 0;
        const auto bar = room < narrowestBar ? "" : " " + formatBar(*part, std::min(room, widestBar));
        out_.liveLine(left + bar + right);
    }

    void end(const json& run) override {
        clear();
        out_.line(ending(run));
        if (const auto path = broughtTo(run); !path.empty()) out_.line(path);
    }

    void note(const std::string&, const std::string& text) override {
        clear();
        out_.hint(text);
    }

  private:
    void clear() {
        if (live_) out_.endLiveLine();
        live_ = false;
    }

    Output& out_;
    bool live_ = false;
};

class LineView : public ProgressView {
  public:
    explicit LineView(Output& out) : out_(out) {}

    void show(const json& run) override {
        const auto now = std::chrono::steady_clock::now();
        if (milestone(run) == last_ && now < next_) return;
        last_ = milestone(run);
        next_ = now + timeBetweenLines;
        out_.line(progressText(run));
    }

    void end(const json& run) override {
        out_.line(ending(run));
        if (const auto path = broughtTo(run); !path.empty()) out_.line(path);
    }

    void note(const std::string&, const std::string& text) override { out_.hint(text); }

  private:
    Output& out_;
    std::string last_;
    std::chrono::steady_clock::time_point next_;
};

class JsonView : public ProgressView {
  public:
    explicit JsonView(Output& out) : out_(out) {}

    void show(const json& run) override { print("progress", {"run", run}); }
    void end(const json& run) override { print("finished", {"run", run}); }
    void note(const std::string& event, const std::string& text) override { print(event, {"message", text}); }

  private:
    void print(const std::string& event, const std::pair<std::string, json>& member) {
        out_.jsonLine({{"event", event}, {member.first, member.second}});
    }

    Output& out_;
};

} // namespace

std::string progressInBrief(const json& run) {
    const auto part = percent(run);
    const auto state = run.value("stalled", false) ? "stalled" : run.value("state", "");
    return part.empty() ? state : fmt::format("{} {}", state, part);
}

std::string progressText(const json& run) {
    auto text = heading(run);
    if (const auto moved = amount(run); !moved.empty()) text += " " + moved;
    if (const auto part = percent(run); !part.empty()) text += fmt::format(" ({})", part);
    return text + circumstances(run);
}

std::unique_ptr<ProgressView> makeProgressView(Output& out) {
    if (out.json()) return std::make_unique<JsonView>(out);
    if (out.onTerminal()) return std::make_unique<BarView>(out);
    return std::make_unique<LineView>(out);
}

} // namespace holdfast::ctl
