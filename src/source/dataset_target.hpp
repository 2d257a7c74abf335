#pragma once

#include "source/target.hpp"

namespace holdfast {

/// A ZFS dataset, which receives a full stream and the increments upon it. It is not mounted: that would happen in the
/// run's own view of the file systems. Nor is it at the next boot, see zfs_disarm.hpp.
class DatasetTarget : public Target {
  public:
    DatasetTarget(const RestoreTask& task, const std::string& runId, Ledger& ledger);

    awaitable<void> prepare() override;
    awaitable<void> beginAttempt() override;
    [[nodiscard]] std::string place() const override { return beside_; }
    [[nodiscard]] std::vector<std::string> consumer(const Manifest& manifest) const override;
    awaitable<void> received(const Manifest& manifest) override;
    awaitable<void> arrive() override;
    [[nodiscard]] nlohmann::json metadata() const override;

  private:
    awaitable<void> refuseWhatIsThere();

    const RestoreTask& task_;
    const std::string runId_;
    Ledger& ledger_;
    const std::string beside_; ///< what it is received as
    const std::string aside_;  ///< what becomes of what was at the target
    bool setAside_ = false;
    std::string snapshot_; ///< the last that was received
    std::string guid_;
    std::vector<std::string> receive_; ///< the program that receives a recursive stream
    std::size_t fileSystems_ = 0;      ///< that were received
    std::size_t belowAside_ = 0;       ///< file systems that go aside with what was at the target
};

/// Of an entry of the kind dataset-arrival: whether the dataset has its name; giving back what was set aside if not.
awaitable<bool> datasetArrived(nlohmann::json entry);
awaitable<void> undoDatasetArrival(nlohmann::json entry);

/// Destroys what a restore has received, if its name says that this run did. Throws `Error` if something is left.
awaitable<void> undoReceivedDataset(nlohmann::json entry, std::string runId);

} // namespace holdfast
