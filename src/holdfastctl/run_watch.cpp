#include "holdfastctl/run_watch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

namespace holdfast::ctl {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

sigset_t endingSignals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGTERM);
    return set;
}

Fd takeSignals() {
    const auto set = endingSignals();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) throwErrno("watch signals");
    return fd;
}

std::unique_ptr<sdbus::IProxy> proxyOf(sdbus::IConnection& connection, const char* service, const std::string& path) {
    return sdbus::createProxy(connection, compat::ServiceName(service), sdbus::ObjectPath(path));
}

int milliseconds_(steady_clock::duration time) {
    return static_cast<int>(std::max(std::chrono::ceil<milliseconds>(time), milliseconds(0)).count());
}

} // namespace

RunWatch::RunWatch(Client& client, const std::string& id) : client_(client), id_(id), signals_(takeSignals()) {
    // Subscribed before it is read: no change falls between.
    subscribe();
    read();
}

RunWatch::~RunWatch() {
    const auto set = endingSignals();
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) > 0) {
    }
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void RunWatch::subscribe() {
    auto& connection = client_.connection();
    try {
        auto run = proxyOf(connection, serviceName, runPath(id_));
        run->uponSignal("PropertiesChanged")
            .onInterface("org.freedesktop.DBus.Properties")
            .call([this](const std::string& interface, const VariantMap& changed,
                         const std::vector<std::string>& invalid) {
                if (interface != runInterface) return;
                takeChanges(changed);
                stale_ = stale_ || !invalid.empty();
            });
        run->uponSignal("Progress")
            .onInterface(runInterface)
            .call([this](std::uint64_t done, std::uint64_t total, std::uint64_t rate, std::uint64_t eta) {
                run_.update({{"bytesDone", done}, {"bytesTotal", total}, {"rate", rate}, {"etaUSec", eta}});
                changed_ = true;
            });
        auto manager = proxyOf(connection, serviceName, managerPath);
        manager->uponSignal("RunFinished")
            .onInterface(managerInterface)
            .call([this](const std::string& id, const sdbus::ObjectPath&, const std::string&, const std::string&) {
                stale_ = stale_ || id == id_;
            });
        auto bus = proxyOf(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus");
        bus->uponSignal("NameOwnerChanged")
            .onInterface("org.freedesktop.DBus")
            .call([this](const std::string& name, const std::string&, const std::string& owner) {
                if (name != serviceName) return;
                gone_ = owner.empty();
                stale_ = stale_ || !gone_;
            });
        for (auto* proxy : {&run, &manager, &bus}) {
            compat::finishRegistration(**proxy);
            proxies_.push_back(std::move(*proxy));
        }
    } catch (const sdbus::Error& error) {
        throw describe(error);
    }
}

void RunWatch::takeChanges(const VariantMap& changed) {
    run_.update(toJson(changed));
    changed_ = true;
}

void RunWatch::read() {
    stale_ = false;
    gone_ = false;
    run_ = client_.run(id_);
    changed_ = true;
}

RunWatch::Event RunWatch::wait(milliseconds limit) {
    const auto until = steady_clock::now() + limit;
    while (true) {
        try {
            while (compat::processPending(client_.connection())) {
            }
        } catch (const sdbus::Error& error) {
            throw describe(error);
        }
        if (gone_) {
            gone_ = false;
            return Event::ServiceGone;
        }
        if (stale_) read();
        if (std::exchange(changed_, false)) return Event::Changed;
        const auto left = until - steady_clock::now();
        if (left <= steady_clock::duration::zero()) return Event::Nothing;
        if (const auto event = poll(std::chrono::ceil<milliseconds>(left)); event == Event::Signalled) return event;
    }
}

RunWatch::Event RunWatch::poll(milliseconds limit) {
    const auto data = compat::pollData(client_.connection());
    auto timeout = milliseconds_(limit);
    if (data.deadline) timeout = std::min(timeout, milliseconds_(*data.deadline - steady_clock::now()));
    std::array<pollfd, 3> waiting = {
        pollfd{signals_.get(), POLLIN, 0}, {data.fd, data.events, 0}, {data.wakeFd, POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), timeout) < 0 && errno != EINTR) throwErrno("wait for the bus");
    return (waiting[0].revents & POLLIN) != 0 ? Event::Signalled : Event::Nothing;
}

} // namespace holdfast::ctl
