#pragma once

#include "source/target.hpp"

#include <filesystem>

namespace holdfast {

/// A folder, into which an archive is unpacked or files are copied. Whatever the archive says, tar writes nothing
/// outside of it, and the unit's sandbox lets it write nowhere else.
class FolderTarget : public Target {
  public:
    FolderTarget(const RestoreTask& task, const std::string& runId, Ledger& ledger);

    awaitable<void> prepare() override;
    awaitable<void> beginAttempt() override;
    [[nodiscard]] std::string place() const override { return beside_.string(); }
    [[nodiscard]] std::vector<std::string> consumer(const Manifest& manifest) const override;
    awaitable<void> received(const Manifest&) override { co_return; }
    awaitable<void> arrive() override;
    [[nodiscard]] nlohmann::json metadata() const override;

  private:
    const RestoreTask& task_;
    const std::string runId_;
    Ledger& ledger_;
    const std::filesystem::path target_;
    const std::filesystem::path beside_; ///< where it grows
    const std::filesystem::path aside_;  ///< where goes what was at the target
    bool setAside_ = false;
};

/// Of an entry of the kind folder-arrival: whether the folder has its name; giving back what was set aside if not.
bool folderArrived(const nlohmann::json& entry);
void undoFolderArrival(const nlohmann::json& entry);

} // namespace holdfast
