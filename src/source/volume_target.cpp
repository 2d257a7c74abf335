#include "source/volume_target.hpp"

#include "source/docker_tar.hpp"
#include "source/kinds.hpp"
#include "source/scratch.hpp"
#include "source/staging.hpp"
#include "source/unpack.hpp"
#include "source/volume_swap.hpp"
#include "util/error.hpp"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// Throws if it cannot be read: what is in it might be lost.
bool isEmpty(const fs::path& folder) { return fs::is_empty(hold(folder, Owners::Any).forChild()); }

/// Where what was in a volume stays.
fs::path keptAs(const VolumeToRead& volume, const std::string& runId) {
    return fmt::format("{}.before-{}", volume.folder.string(), runId.substr(0, 8));
}

/// Where the folder of a volume in which there was nothing waits to be removed.
fs::path emptyAs(const VolumeToRead& volume, const std::string& runId) {
    return volume.folder.string() + ".empty" + runSuffix(runId);
}

bool hasFolder(const HeldPath& folder, const fs::path& path) {
    try {
        folderBelow(folder, path);
        return true;
    } catch (const Error&) {
        return false;
    }
}

std::optional<std::string> socketOf(const RestoreTask& task) {
    if (task.engineSocket.empty()) return std::nullopt;
    return task.engineSocket;
}

} // namespace

VolumeTarget::VolumeTarget(const RestoreTask& task, const std::string& runId, const Manifest& manifest, Ledger& ledger)
    : task_(task), runId_(runId), ledger_(ledger), pause_(ledger),
      choices_(chooseVolumes(manifest.sourceFields, task.volumes)), stopFirst_(containersNamed(manifest.sourceFields)) {
}

/// All that can be found out is, before anything is fetched.
awaitable<void> VolumeTarget::prepare() {
    engine_.emplace(Engine::findSocket(socketOf(task_)));
    volumes_ = co_await locateChosen(*engine_, choices_);
    refuseWhatIsThere();
    co_await usersOf(*engine_, volumes_, stopFirst_);
    const auto& first = volumes_.front().folder;
    parent_ = hold(first.parent_path(), Owners::Any);
    name_ = first.filename().string() + runSuffix(runId_);
    ledger_.acquire(kinds::scratch, {{"path", shownPlace()}});
}

void VolumeTarget::refuseWhatIsThere() {
    for (const auto& volume : volumes_) {
        if (task_.force || isEmpty(volume.folder)) continue;
        throw Error(fmt::format("The volume {} is not empty. Restore into another one; or with force, which sets what "
                                "is there aside as {}.",
                                volume.name, keptAs(volume, runId_).string()));
    }
}

awaitable<void> VolumeTarget::beginAttempt() {
    staging_.reset();
    removeOfRun(shownPlace(), runId_);
    staging_ = makeStaging(*parent_, name_);
    makeStaging(*staging_, stagedName);
    co_return;
}

std::vector<std::string> VolumeTarget::consumer(const Manifest&) const {
    std::vector<std::string> members;
    for (const auto& choice : choices_) members.push_back(folderInArchive(choice.from));
    return unpackInto(place(), members, Attributes::All);
}

std::string VolumeTarget::place() const { return staging_->forChild() + "/" + stagedName; }

std::string VolumeTarget::shownPlace() const { return (parent_->real() / name_).string(); }

fs::path VolumeTarget::fresh(const VolumeChoice& choice) const {
    return fs::path(shownPlace()) / stagedName / folderInArchive(choice.from);
}

/// An archive of unknown origin may have anything under the name of a volume's folder.
awaitable<void> VolumeTarget::received(const Manifest&) {
    for (const auto& choice : choices_) {
        if (hasFolder(*staging_, fs::path(stagedName) / folderInArchive(choice.from))) continue;
        throw Error(fmt::format("The archive has no folder {}, though its manifest names the volume {}.",
                                folderInArchive(choice.from), choice.from));
    }
    co_return;
}

awaitable<void> VolumeTarget::arrive() {
    syncFileSystem(*staging_); // which may take long, and nobody waits yet
    co_await stopUsers();
    co_await demandNoUsers();
    demandSameFolders(volumes_);
    refuseWhatIsThere();
    swap();
    co_await pause_.startAll(*engine_);
}

awaitable<void> VolumeTarget::stopUsers() {
    const auto users = co_await usersOf(*engine_, volumes_, stopFirst_);
    for (const auto& user : users) co_await pause_.stop(*engine_, user);
}

awaitable<void> VolumeTarget::demandNoUsers() {
    const auto users = co_await usersOf(*engine_, volumes_, stopFirst_);
    if (users.empty()) co_return;
    throw Error(fmt::format("Somebody started {} while the volumes were to be replaced. See that nothing starts it "
                            "during the restore.",
                            users.front().name));
}

void VolumeTarget::swap() {
    std::vector<VolumeSwap> swaps;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
        const auto& volume = volumes_[i];
        const bool wasEmpty = isEmpty(volume.folder);
        const auto aside = wasEmpty ? emptyAs(volume, runId_) : keptAs(volume, runId_);
        if (wasEmpty)
            ledger_.acquire(kinds::scratchFolder, {{"path", aside.string()}});
        else
            kept_.push_back(aside.string());
        swaps.push_back({fresh(choices_[i]), volume.folder, aside});
    }
    swapVolumes(swaps, ledger_);
}

nlohmann::json VolumeTarget::metadata() const {
    std::vector<std::string> names;
    for (const auto& choice : choices_) names.push_back(choice.to);
    nlohmann::json metadata{{"restoredTo", fmt::format("{}", fmt::join(names, ", "))}};
    if (!kept_.empty()) metadata["setAside"] = fmt::format("{}", fmt::join(kept_, ", "));
    std::string message;
    const auto tell = [&](const char* what, const std::vector<std::string>& whom) {
        if (!whom.empty()) message += fmt::format("{}{}: {}.", message.empty() ? "" : " ", what, fmt::join(whom, ", "));
    };
    tell("Stopped meanwhile", pause_.names());
    tell("Did not end in time and was killed", pause_.killed());
    tell("Removed by somebody meanwhile, so not started again", pause_.removed());
    tell("Started by somebody else, so it may still see what was there before; restart it", pause_.disturbers());
    if (!message.empty()) metadata["message"] = message;
    return metadata;
}

} // namespace holdfast
