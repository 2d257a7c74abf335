#pragma once

#include "source/source.hpp"
#include "source/zfs_command.hpp"
#include "source/zfs_snapshot.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

/// A ZFS dataset: makes a snapshot, holds it, and sends it. docs/zfs.md tells the user's side.
class ZfsSource : public Source {
  public:
    ZfsSource(const Plan& plan, const Paths& paths, Ledger& ledger);

    awaitable<void> prepare() override;
    Upload upload() override;
    [[nodiscard]] nlohmann::json metadata() const override;
    [[nodiscard]] nlohmann::json manifest() const override;

  private:
    awaitable<void> refuseWhatCannotWork();
    awaitable<void> takeSnapshot();
    awaitable<std::uint64_t> estimate();
    awaitable<void> writeCacheFile();
    [[nodiscard]] std::vector<std::string> sendWords() const;

    const Plan& plan_;
    const Paths& paths_;
    const ZfsConfig& config_;
    Ledger& ledger_;

    ZfsSnapshot snapshot_;
    SendOptions options_;
    std::string guid_;
    std::uint64_t estimate_ = 0;
    std::filesystem::path cacheFile_;
};

} // namespace holdfast
