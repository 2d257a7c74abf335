#include "source/script_log.hpp"

#include "util/child.hpp"
#include "util/text.hpp"

#include <array>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

namespace holdfast {

namespace {

constexpr std::size_t keptLines = 10;
constexpr std::size_t longestLine = 300;

void unblock(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

} // namespace

void LastLines::add(std::string_view bytes) {
    for (const char c : bytes) {
        if (c == '\n') {
            if (kept_.back().empty()) continue;
            kept_.emplace_back();
            if (kept_.size() > lines_ + 1) kept_.pop_front();
        } else if (kept_.back().size() < lineLength_) {
            kept_.back() += c;
        }
    }
}

std::string LastLines::text() const {
    std::string text;
    const std::size_t surplus = kept_.size() > lines_ && !kept_.back().empty() ? 1 : 0;
    for (std::size_t i = surplus; i < kept_.size(); ++i) {
        if (kept_[i].empty()) continue;
        if (!text.empty()) text += '\n';
        text += harmless(kept_[i]);
    }
    return text;
}

ScriptLog::ScriptLog(const std::string& scriptName) : last_(keptLines, longestLine) {
    auto pipe = makePipe();
    read_ = std::move(pipe.read);
    write_ = std::move(pipe.write);
    unblock(read_.get());
    // Without a journal the last lines are still there to be told.
    if (const int journal = ::sd_journal_stream_fd(scriptName.c_str(), LOG_INFO, 0); journal >= 0) {
        journal_ = Fd(journal);
        unblock(journal);
    }
}

awaitable<void> ScriptLog::follow() {
    const auto executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor from(executor, ::fcntl(read_.get(), F_DUPFD_CLOEXEC, 0));
    std::array<char, 16 * 1024> buffer;
    while (true) {
        co_await from.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        const auto got = ::read(read_.get(), buffer.data(), buffer.size());
        if (got == 0) break;
        if (got > 0) pass({buffer.data(), static_cast<std::size_t>(got)});
    }
    asio::steady_timer never(executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
}

void ScriptLog::takeWhatIsThere() {
    std::array<char, 16 * 1024> buffer;
    constexpr int atMost = 64; // a pipe has no more; a writer that lives on must not keep us here
    for (int i = 0; i < atMost; ++i) {
        const auto got = ::read(read_.get(), buffer.data(), buffer.size());
        if (got <= 0) return;
        pass({buffer.data(), static_cast<std::size_t>(got)});
    }
}

void ScriptLog::pass(std::string_view bytes) {
    last_.add(bytes);
    if (journal_) (void)::send(journal_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

} // namespace holdfast
