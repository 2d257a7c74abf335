#include "source/zfs_disarm.hpp"

#include "source/zfs_command.hpp"

#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

using Words = std::vector<std::string>;

awaitable<void> setProperty(std::string dataset, std::string property, std::string value) {
    Words words{"set", fmt::format("{}={}", property, value), dataset};
    auto doing = fmt::format("set {} to {} of {}", property, value, dataset);
    co_await runZfs(std::move(words), std::move(doing));
}

/// Whether the dataset has a value of its own, from the stream or set here since.
bool isOwn(const PropertyLine& line) { return line.source == "received" || line.source == "local"; }

/// zfs-fuse goes back to what was received when it is told to inherit; so what is wanted is set.
awaitable<void> disarmOne(std::string dataset, std::string mountpoint) {
    Words ask{"get", "-H", "-p", "-o", "property,value,source", "canmount,mountpoint,sharenfs,sharesmb", dataset};
    auto doing = fmt::format("read how {} is mounted and shared", dataset);
    const auto told = co_await runZfs(std::move(ask), std::move(doing));
    for (const auto& line : parseProperties(told)) {
        std::string wanted;
        if (line.name == "canmount") {
            wanted = "noauto";
        } else if (isOwn(line)) {
            wanted = line.name == "mountpoint" ? mountpoint : "off";
        }
        if (!wanted.empty() && wanted != line.value) co_await setProperty(dataset, line.name, wanted);
    }
}

std::string parentOfDataset(const std::string& dataset) { return dataset.substr(0, dataset.rfind('/')); }

} // namespace

bool canLeaveOut(std::string_view usage) { return usage.find("[-x <property>]") != usage.npos; }

awaitable<Words> receiveWords(std::string dataset) {
    Words ask{"receive"};
    const auto usage = co_await tryZfs(std::move(ask));
    Words words{"zfs", "receive", "-u"};
    if (canLeaveOut(usage.error)) {
        const Words left{"-o", "canmount=noauto", "-x", "mountpoint", "-x", "sharenfs", "-x", "sharesmb"};
        words.insert(words.end(), left.begin(), left.end());
    }
    words.push_back(std::move(dataset));
    co_return words;
}

std::string mountpointByName(const std::string& dataset, const std::string& parent, const std::string& mountpoint) {
    if (!mountpoint.starts_with('/')) return mountpoint; // none, or legacy
    const auto below = dataset.substr(parent.size());
    return mountpoint == "/" ? below : mountpoint + below;
}

awaitable<std::vector<FileSystem>> fileSystemsOf(std::string dataset) {
    // zfs lists nothing of a volume that is asked for its file systems only: that is an error.
    Words words{"list", "-H", "-r", "-t", "filesystem,volume", "-o", "name,type,mounted", dataset};
    auto doing = "list the file systems below " + dataset;
    const auto listing = co_await runZfs(std::move(words), std::move(doing));
    std::vector<FileSystem> found;
    for (const auto& line : parseProperties(listing)) {
        if (line.value == "filesystem") found.push_back({line.name, line.source == "yes"});
    }
    co_return found;
}

awaitable<std::size_t> disarm(std::string received, std::string target) {
    const auto parent = parentOfDataset(target);
    const auto mountpoint = co_await zfsProperty("mountpoint", parent);
    const auto found = co_await fileSystemsOf(received);
    for (const auto& one : found) {
        const auto arrived = target + one.name.substr(received.size());
        auto place = mountpointByName(arrived, parent, mountpoint);
        co_await disarmOne(one.name, std::move(place));
    }
    co_return found.size();
}

} // namespace holdfast
