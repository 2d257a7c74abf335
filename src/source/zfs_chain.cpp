#include "source/zfs_chain.hpp"

#include "source/zfs_command.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace holdfast {

namespace {

using Words = std::vector<std::string>;

/// "remote:folder/" of "remote:folder/object".
std::string folderOf(const std::string& object) { return object.substr(0, object.find_last_of(":/") + 1); }

USec numberIn(const std::string& text) {
    USec number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

ZfsChain::ZfsChain(const Plan& plan, const Paths& paths)
    : plan_(plan), config_(std::get<ZfsConfig>(plan.job.source)),
      hasRecord_(std::filesystem::exists(paths.base(plan.job.name))) {
    std::string unreadable;
    try {
        recorded_ = readBase(paths.base(plan.job.name));
    } catch (const Error& e) {
        unreadable = e.what();
    }
    if (!config_.incremental) return;
    base_ = recorded_;
    if (!unreadable.empty()) {
        sendAll(unreadable);
    } else if (!base_) {
        sendAll("No earlier backup of this job was kept to build on.");
    } else if (auto why = whyNotOf(*base_); !why.empty()) {
        sendAll(std::move(why));
    }
}

void ZfsChain::sendAll(std::string why) {
    base_.reset();
    whyFull_ = "All is sent, not only what has changed: " + std::move(why);
}

std::string ZfsChain::whyNotOf(const ZfsBase& base) const {
    if (base.snapshot.dataset != config_.poolName)
        return fmt::format("The last backup was of {}.", base.snapshot.dataset);
    if (base.snapshot.recursive != config_.recursive) return "The job's recursive was changed.";
    if (base.raw != config_.raw) return "The job's raw was changed.";
    if (folderOf(base.manifest) != folderOf(plan_.manifestPath()))
        return fmt::format("The last backup went to {}.", folderOf(base.manifest));
    if (base.depth + 1 >= config_.fullEvery)
        return fmt::format("It is the turn of a full one (fullEvery is {}).", config_.fullEvery);
    return {};
}

std::optional<std::string> ZfsChain::manifest() const {
    if (!base_) return std::nullopt;
    return base_->manifest;
}

void ZfsChain::found(const std::optional<Manifest>& manifest) {
    if (!base_) return;
    const bool same = manifest && manifest->run == base_->run && manifest->sourceFields.is_object() &&
                      manifest->sourceFields.value("guid", "") == base_->guid;
    if (!same) sendAll(fmt::format("The last backup is no longer at the destination ({}).", base_->manifest));
}

awaitable<void> ZfsChain::check() {
    if (!base_) co_return;
    Words words{"get", "-H", "-p", "-o", "value", "guid", base_->full()};
    const auto guid = co_await tryZfs(std::move(words));
    if (!guid.ok) {
        if (!saysAbsent(guid.error)) throw Error(explainZfs("look at " + base_->full(), guid.error));
        sendAll(fmt::format("{}, which the last backup is of, was destroyed.", base_->full()));
    } else if (guid.out != base_->guid + "\n") {
        sendAll(fmt::format("{} is not the one that the last backup is of.", base_->full()));
    } else if (config_.recursive) {
        co_await checkBelow();
    }
}

/// A dataset that is younger than the base has no snapshot of it, and is sent whole. An older one should have it; what
/// ZFS would send instead could not be received. The age is told by transaction groups: times are whole seconds.
awaitable<void> ZfsChain::checkBelow() {
    const auto has = co_await snapshotsOfRun(base_->snapshot, base_->run);
    Words words{"get", "-r", "-H", "-p", "-o", "name,value", "createtxg", base_->snapshot.dataset};
    auto doing = "list the datasets below " + base_->snapshot.dataset;
    const auto listing = co_await runZfs(std::move(words), std::move(doing));
    const auto lines = parseProperties(listing);

    const auto root = std::find_if(lines.begin(), lines.end(),
                                   [&](const PropertyLine& line) { return line.name == base_->snapshot.full(); });
    const std::uint64_t taken = root == lines.end() ? 0 : numberIn(root->value);
    for (const auto& line : lines) {
        const bool isDataset = line.name.find_first_of("@#") == line.name.npos;
        if (!isDataset || contains(has, line.name + "@" + base_->snapshot.name) || numberIn(line.value) > taken)
            continue;
        sendAll(fmt::format("{} has no snapshot of the last backup ({}).", line.name, base_->snapshot.name));
        co_return;
    }
}

} // namespace holdfast
