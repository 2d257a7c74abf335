#pragma once

#include "source/docker_pause.hpp"
#include "source/target.hpp"
#include "source/volume_choice.hpp"
#include "util/held_path.hpp"

#include <filesystem>
#include <optional>

namespace holdfast {

/// Volumes of containers (Docker's or Podman's). All is unpacked beside the first volume's folder while the containers
/// run; only to exchange the folders they are stopped. docs/docker.md tells the user's side.
class VolumeTarget : public Target {
  public:
    VolumeTarget(const RestoreTask& task, const std::string& runId, const Manifest& manifest, Ledger& ledger);

    awaitable<void> prepare() override;
    awaitable<void> beginAttempt() override;
    [[nodiscard]] std::string place() const override;
    [[nodiscard]] std::string shownPlace() const override;
    [[nodiscard]] std::vector<int> descriptors() const override { return {staging_->fd()}; }
    [[nodiscard]] std::vector<std::string> consumer(const Manifest& manifest) const override;
    awaitable<void> received(const Manifest&) override;
    awaitable<void> arrive() override;
    [[nodiscard]] nlohmann::json metadata() const override;

  private:
    void refuseWhatIsThere();
    awaitable<void> stopUsers();
    awaitable<void> demandNoUsers();
    void swap();
    [[nodiscard]] std::filesystem::path fresh(const VolumeChoice& choice) const;

    const RestoreTask& task_;
    const std::string runId_;
    Ledger& ledger_;
    DockerPause pause_;
    const std::vector<VolumeChoice> choices_;
    const std::vector<std::string> stopFirst_;

    std::optional<Engine> engine_;
    std::vector<VolumeToRead> volumes_; ///< one for each of choices_
    std::optional<HeldPath> parent_;    ///< of the first
    std::string name_;                  ///< in it: where it grows
    std::optional<HeldPath> staging_;   ///< that, root's alone
    std::vector<std::string> kept_;     ///< what was in the volumes
};

} // namespace holdfast
