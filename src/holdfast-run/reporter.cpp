#include "reporter.hpp"

#include "util/async.hpp"
#include "util/file.hpp"
#include "util/format.hpp"
#include "util/json.hpp"
#include "util/log.hpp"

#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace holdfast {

using namespace std::chrono_literals;

Reporter::Reporter(const Paths& paths, std::string id, std::uint32_t maxAttempts)
    : paths_(paths), id_(std::move(id)), maxAttempts_(maxAttempts), progress_(Progress::Clock::now()) {
    state_.state = "starting";
}

void Reporter::phase(const std::string& phase) {
    state_.state = "running";
    state_.phase = phase;
    state_.stalled = false;
    write();
}

void Reporter::beginAttempt(std::uint32_t attempt, std::uint64_t total, bool estimated, const std::string& phase) {
    progress_.begin(total, estimated, Progress::Clock::now());
    state_.attempt = attempt;
    takeProgress(0);
    moving_ = phase;
    this->phase(phase);
}

void Reporter::streamEnded() {
    progress_.finish();
    takeProgress(0);
}

void Reporter::metadata(const nlohmann::json& more) { state_.metadata.update(more); }

awaitable<void> Reporter::follow(USec stallWarning) {
    while (true) {
        co_await sleepFor(500ms);
        if (state_.phase == moving_) takeProgress(stallWarning);
        write();
    }
}

void Reporter::takeProgress(USec stallWarning) {
    const auto now = Progress::Clock::now();
    progress_.sample(now);
    state_.bytesDone = progress_.done();
    state_.bytesTotal = progress_.total();
    state_.bytesTotalEstimated = progress_.estimated();
    state_.rate = progress_.rate();
    const auto eta = progress_.eta();
    state_.etaUSec = eta ? static_cast<USec>(eta->count()) : 0;

    const bool stalled = stallWarning > 0 && static_cast<USec>(progress_.idle(now).count()) >= stallWarning;
    if (stalled && !state_.stalled) logWarning(fmt::format("No byte has moved for {}.", formatSpan(stallWarning)));
    state_.stalled = stalled;
}

void Reporter::write() {
    auto text = compact(toJson(state_));
    if (text == written_) return;
    try {
        replaceFile(paths_.runState(id_), text, Durability::Volatile);
    } catch (const std::system_error& e) {
        // Tried again at the next turn: what a run is there for does not hang on who watches it.
        static bool warned = false;
        if (!std::exchange(warned, true)) {
            logWarning(fmt::format("The run goes on, but its progress cannot be written: {}", e.what()));
        }
        return;
    }
    const auto line = statusLine(state_, maxAttempts_);
    ::sd_notifyf(0, "STATUS=%s", line.c_str());
    written_ = std::move(text);
}

} // namespace holdfast
