#pragma once

#include "source/target.hpp"
#include "util/held_path.hpp"

#include <filesystem>
#include <optional>

namespace holdfast {

/// A folder, into which an archive is unpacked or files are copied; or, for chosen paths, a folder that is there, in
/// which they are brought back in place, or one file. Everything is held from the first look on, so that nobody who can
/// write beside the target leads us elsewhere. What has come grows in a folder of root's alone, and leaves it only when
/// all of it has been checked. Whatever the archive says, tar writes nothing outside of it, and the unit's sandbox lets
/// it write nowhere else.
class FolderTarget : public Target {
  public:
    FolderTarget(const RestoreTask& task, const std::string& runId, Ledger& ledger);

    awaitable<void> prepare() override;
    awaitable<void> beginAttempt() override;
    [[nodiscard]] std::string place() const override;
    [[nodiscard]] std::string shownPlace() const override;
    [[nodiscard]] std::vector<int> descriptors() const override;
    [[nodiscard]] std::vector<std::string> consumer(const Manifest& manifest) const override;
    awaitable<void> received(const Manifest& manifest) override;
    awaitable<void> arrive() override;
    [[nodiscard]] nlohmann::json metadata() const override;

  private:
    /// How it gets to the target.
    enum class Arrival {
        Whole,   ///< as the target, which is not there or an empty folder
        InPlace, ///< file by file, in a folder that is there
        OneFile, ///< as a file that is there
    };

    void lookAtTarget();
    void refuseUnlessEmpty();
    [[nodiscard]] const HeldPath& besideWhat() const { return folder_ ? *folder_ : *parent_; }
    void demandSamePlace() const;
    void arriveWhole();
    void arriveAs(const HeldPath& from, const std::string& name);
    void arriveInPlace();
    void arriveOverFile();
    [[nodiscard]] bool isTheFile() const;

    const RestoreTask& task_;
    const std::string runId_;
    Ledger& ledger_;
    const std::filesystem::path target_;
    const std::string name_; ///< of the target, in what it lies in

    Arrival arrival_ = Arrival::Whole;
    std::optional<HeldPath> parent_;
    std::optional<HeldPath> folder_;  ///< the target, if it is brought back into in place
    std::optional<HeldPath> staging_; ///< root's alone
    bool setAside_ = false;
    std::vector<std::string> kept_;     ///< what was at the target
    std::vector<std::string> disarmed_; ///< of a repository
};

/// Of an entry of the kind folder-arrival: whether the folder has its name; giving back what was set aside if not.
bool folderArrived(const nlohmann::json& entry);
void undoFolderArrival(const nlohmann::json& entry);

} // namespace holdfast
