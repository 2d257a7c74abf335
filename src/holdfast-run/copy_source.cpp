#include "copy_source.hpp"

#include "util/error.hpp"
#include "util/mounts.hpp"

#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

/// rclone takes the last part of a path for the symlink that it is, such as that of a descriptor, when it is to keep
/// links or to stay on one file system. Told not to write dots in another way, it reads this one as ".".
constexpr std::string_view itself = "/．";
constexpr std::string_view takesDots = "encoding=Slash";

void replaceAll(std::string& text, std::string_view what, std::string_view with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
        text.replace(at, what.size(), with);
    }
}

/// A file system below `folder` that root may not look into: one of FUSE belongs to its user alone.
std::string closedMountIn(const fs::path& folder) {
    for (const auto& mount : currentMounts()) {
        struct stat ignored {};
        if (!mount.type.starts_with("fuse") || !isWithin(mount.at, folder)) continue;
        if (::lstat(mount.at.c_str(), &ignored) < 0 && errno == EACCES) return mount.at.string();
    }
    return {};
}

} // namespace

CopySource::CopySource(const StoredTree& tree, nlohmann::json options) : tree_(tree), options_(std::move(options)) {}

std::string CopySource::name() const {
    const auto held = tree_.folder->forChild();
    const bool links = options_.value("links", false);
    if (!tree_.file.empty()) return fmt::format("{}{}/{}", links ? ":local,links=true:" : "", held, tree_.file);
    if (!links && !options_.value("one-file-system", false)) return held;
    return fmt::format(":local,{}{}:{}{}", links ? "links=true," : "", takesDots, held, itself);
}

std::string CopySource::plainly(std::string text) const {
    const auto held = tree_.folder->forChild();
    const auto known = tree_.folder->real().string();
    const auto full = name();
    replaceAll(text, full, path().string());
    replaceAll(text, held + std::string(itself), known);
    replaceAll(text, held, known);
    return text;
}

std::string CopySource::advice(const std::string& text) const {
    const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
    if (says("failed to read directory")) {
        if (const auto mount = closedMountIn(path()); !mount.empty()) {
            return fmt::format(" {} is a file system that a user has mounted and that only that user may look into; "
                               "rclone cannot pass it by. Have it unmounted, or leave out the folder that it lies in "
                               "with rcloneOptions.exclude.",
                               mount);
        }
    }
    if (options_.value("copy-links", false) && (says("no such file or directory") || says("too many links"))) {
        return " With copy-links, each symbolic link must lead to a file or folder that is there: remove those that do "
               "not, or leave out the folder that they lie in with rcloneOptions.exclude.";
    }
    return {};
}

awaitable<void> CopySource::inPlainWords(awaitable<void> work) const {
    try {
        co_await std::move(work);
    } catch (const TransferError& e) {
        const std::string text = e.what();
        throw TransferError(plainly(text) + advice(text), e.retry());
    }
}

void CopySource::refuseDestination(const RemoteFeatures& features, const std::string& destinationPath) const {
    if (!features.local || options_.contains("exclude") || options_.contains("filter")) return;
    const auto to = fs::weakly_canonical(fs::path(features.root) / destinationPath);
    if (!tree_.file.empty() || !isReachedFrom(path(), to, currentMounts(), options_.value("one-file-system", false))) {
        return;
    }
    throw Error(fmt::format("The destination {} lies in the source {}, so every run would copy the earlier ones too. "
                            "Choose another destination, or leave it out with rcloneOptions.exclude.",
                            to.string(), path().string()));
}

} // namespace holdfast
