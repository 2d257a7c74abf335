#pragma once

#include "source/background.hpp"
#include "source/flash_checkout.hpp"
#include "source/flash_commit.hpp"
#include "source/flash_repository.hpp"
#include "source/source.hpp"
#include "source/spool.hpp"

#include <filesystem>
#include <optional>

namespace holdfast {

/// A git repository with its work tree: commits the work tree, then uploads the repository or, without history, the
/// files of the commit. docs/flash.md tells the user's side.
class FlashSource : public Source {
  public:
    FlashSource(const Plan& plan, const Paths& paths, Ledger& ledger,
                std::filesystem::path varIni = "/var/local/emhttp/var.ini");

    [[nodiscard]] bool isLight() const override { return config_.streamDirect; }
    awaitable<void> prepare() override;
    Upload upload() override;
    /// Throws `Error` if another program changed the repository while it was read: the copy may then not be whole.
    awaitable<void> doneReading() override;
    [[nodiscard]] nlohmann::json metadata() const override;
    [[nodiscard]] std::string notice() const override;
    [[nodiscard]] nlohmann::json manifest() const override;

  private:
    [[nodiscard]] bool isFlashDrive() const;
    void holdCacheFolder();
    void refuseCacheInWorkTree() const;
    awaitable<void> makeRepository();
    awaitable<void> commit();
    awaitable<void> commitUnlessLocked();
    awaitable<void> checkOut();
    awaitable<void> writeCacheFile();
    std::filesystem::path scratchFolder();
    Producer tar();
    void checkUnchanged() const;

    const Plan& plan_;
    const Paths& paths_;
    const FlashConfig& config_;
    Ledger& ledger_;
    std::filesystem::path varIni_;
    Background background_;

    FlashPlace place_;
    bool madeHere_ = false;
    std::string profile_;
    std::string branch_;
    CommitOutcome outcome_;
    std::int64_t commitTime_ = 0;
    bool hasScratchFolder_ = false;
    std::filesystem::path checkedOut_;
    std::optional<HeldPath> cacheFolder_;
    std::optional<CacheFile> cacheFile_;
    std::optional<std::uint64_t> fingerprint_;
};

} // namespace holdfast
