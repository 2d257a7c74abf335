#include "source/mount_overlap.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// A volume that is read, and which folder it is.
struct KnownVolume {
    std::string name;
    FolderChain chain;
};

/// What a mount shows, by the volume's name or by the folder's. Engines are asked once for each volume.
class MountFolders {
  public:
    explicit MountFolders(Engine engine) : engine_(std::move(engine)) {}

    awaitable<FolderChain> of(EngineMount mount) {
        const auto key = mount.volume.empty() ? "/" + mount.source : mount.volume;
        const auto known = known_.find(key);
        if (known != known_.end()) co_return known->second;
        auto folder = mount.source;
        if (!mount.volume.empty()) {
            const auto device = co_await deviceOf(mount.volume);
            if (!device.empty()) folder = device;
        }
        FolderChain chain(folder);
        known_.emplace(key, chain);
        co_return chain;
    }

  private:
    /// The folder elsewhere that a volume is; empty if it is none.
    awaitable<std::string> deviceOf(std::string name) {
        const auto volume = co_await engine_.volume(name);
        if (!volume || !volume->options.contains("device")) co_return std::string();
        auto device = volume->options.at("device");
        if (!device.starts_with('/')) device.clear();
        co_return device;
    }

    Engine engine_;
    std::map<std::string, FolderChain> known_;
};

using Shows = std::function<bool(const EngineMount&, const FolderChain&, const KnownVolume&)>;

bool isItself(const EngineMount& mount, const KnownVolume& volume) {
    return mount.type == "volume" && mount.volume == volume.name;
}

/// A folder, or a volume: what else containers mount is no part of a file system of this machine.
bool isFolderMount(const EngineMount& mount) { return mount.type == "bind" || mount.type == "volume"; }

awaitable<std::vector<EngineListed>> thatShow(Engine engine, std::vector<VolumeToRead> volumes,
                                              std::vector<EngineListed> listed, Shows shows) {
    std::vector<KnownVolume> known;
    for (const auto& volume : volumes) known.push_back({volume.name, FolderChain(volume.folder)});
    MountFolders folders(engine);
    std::vector<EngineListed> found;
    for (const auto& one : listed) {
        bool shown = false;
        for (const auto& mount : one.mounts) {
            if (shown || !isFolderMount(mount)) continue;
            const auto chain = co_await folders.of(mount);
            shown = std::any_of(known.begin(), known.end(),
                                [&](const KnownVolume& volume) { return shows(mount, chain, volume); });
        }
        if (shown) found.push_back(one);
    }
    co_return found;
}

} // namespace

FolderChain::FolderChain(const fs::path& folder) {
    std::error_code away;
    auto at = fs::canonical(folder, away);
    while (!away) {
        struct stat info {};
        if (::stat(at.c_str(), &info) < 0) break;
        upwards_.emplace_back(info.st_dev, info.st_ino);
        if (at == at.parent_path()) break;
        at = at.parent_path();
    }
}

bool FolderChain::isOrLiesIn(const FolderChain& other) const {
    if (other.upwards_.empty()) return false;
    return std::find(upwards_.begin(), upwards_.end(), other.upwards_.front()) != upwards_.end();
}

awaitable<std::vector<EngineListed>> writersOf(Engine engine, std::vector<VolumeToRead> volumes,
                                               std::vector<EngineListed> listed) {
    std::erase_if(listed, [](const EngineListed& one) { return one.paused; });
    for (auto& one : listed) {
        std::erase_if(one.mounts, [](const EngineMount& mount) { return !mount.writable; });
    }
    Shows either = [](const EngineMount& mount, const FolderChain& folder, const KnownVolume& volume) {
        return isItself(mount, volume) || folder.isOrLiesIn(volume.chain) || volume.chain.isOrLiesIn(folder);
    };
    co_return co_await thatShow(std::move(engine), std::move(volumes), std::move(listed), std::move(either));
}

awaitable<std::vector<EngineListed>> viewersOf(Engine engine, std::vector<VolumeToRead> volumes,
                                               std::vector<EngineListed> listed) {
    Shows within = [](const EngineMount& mount, const FolderChain& folder, const KnownVolume& volume) {
        return isItself(mount, volume) || folder.isOrLiesIn(volume.chain);
    };
    co_return co_await thatShow(std::move(engine), std::move(volumes), std::move(listed), std::move(within));
}

} // namespace holdfast
