#include "queue/run_watch.hpp"

#include "util/error.hpp"
#include "util/log.hpp"

#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <fmt/format.h>
#include <sys/inotify.h>

namespace holdfast {

namespace {

int openInotify() {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) throwErrno("watch for the progress of runs (inotify)");
    return fd;
}

} // namespace

RunWatch::RunWatch(asio::io_context& io, const Paths& paths, Handler changed)
    : paths_(paths), changed_(std::move(changed)), inotify_(io, openInotify()) {
    read();
}

void RunWatch::add(const std::string& id) {
    const auto folder = paths_.live(id);
    // Every file is replaced by rename.
    const int watch = ::inotify_add_watch(inotify_.native_handle(), folder.c_str(), IN_MOVED_TO | IN_ONLYDIR);
    if (watch < 0) throwErrno("watch " + folder.string());
    runs_[watch] = id;
}

void RunWatch::remove(const std::string& id) {
    std::erase_if(runs_, [&](const auto& item) {
        if (item.second != id) return false;
        ::inotify_rm_watch(inotify_.native_handle(), item.first); // fails if the folder is gone, and the watch with it
        return true;
    });
}

void RunWatch::read() {
    inotify_.async_read_some(
        asio::buffer(buffer_), [this, alive = std::weak_ptr<bool>(alive_)](const auto& error, std::size_t size) {
            if (alive.expired()) return;
            if (error) {
                logError(fmt::format("Progress of runs is not seen any more: {}", error.message()));
                return;
            }
            handle(buffer_.data(), size);
            read();
        });
}

void RunWatch::handle(const char* events, std::size_t size) {
    std::vector<std::string> changed;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
        inotify_event event{};
        std::memcpy(&event, events + at, sizeof event);
        const char* name = event.len > 0 ? events + at + sizeof event : "";
        at += sizeof event + event.len;
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
            for (const auto& [watch, id] : runs_) changed.push_back(id);
        } else if (const auto run = runs_.find(event.wd); run != runs_.end()) {
            if ((event.mask & IN_IGNORED) != 0)
                runs_.erase(run);
            else if (std::string_view(name) == "state.json")
                changed.push_back(run->second);
        }
    }
    // Afterwards, since the handler may add and remove watches; once each, however many events there were.
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    for (const auto& id : changed) changed_(id);
}

} // namespace holdfast
