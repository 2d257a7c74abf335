#pragma once

#include "source/source.hpp"
#include "source/zfs_chain.hpp"
#include "source/zfs_command.hpp"
#include "source/zfs_snapshot.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// A ZFS dataset: makes a snapshot, holds it, and sends it, or what has changed since the last one. docs/zfs.md tells
/// the user's side.
class ZfsSource : public Source {
  public:
    ZfsSource(const Plan& plan, const Paths& paths, Ledger& ledger);

    [[nodiscard]] std::optional<std::string> earlierManifest() const override { return chain_.manifest(); }
    void earlier(const std::optional<Manifest>& manifest) override { chain_.found(manifest); }
    [[nodiscard]] bool isLight() const override { return config_.streamDirect; }
    awaitable<void> prepare() override;
    Upload upload() override;
    [[nodiscard]] nlohmann::json metadata() const override;
    [[nodiscard]] std::string notice() const override { return chain_.whyFull(); }
    [[nodiscard]] nlohmann::json tools() const override { return {{"zfs", version_}}; }
    [[nodiscard]] nlohmann::json manifest() const override;

  private:
    awaitable<void> refuseWhatCannotWork();
    awaitable<void> refuseEncrypted();
    awaitable<void> takeSnapshot();
    awaitable<bool> bookmark();
    void announceBase();
    [[nodiscard]] ZfsBase asBase() const;
    awaitable<std::uint64_t> estimate();
    awaitable<void> writeCacheFile();
    [[nodiscard]] std::vector<std::string> sendWords() const;

    const Plan& plan_;
    const Paths& paths_;
    const ZfsConfig& config_;
    Ledger& ledger_;

    ZfsSnapshot snapshot_;
    ZfsChain chain_;
    std::string version_;
    bool bookmarked_ = false;
    SendOptions options_;
    std::string guid_;
    std::uint64_t estimate_ = 0;
    std::filesystem::path cacheFile_;
};

} // namespace holdfast
