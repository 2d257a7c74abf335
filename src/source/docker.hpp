#pragma once

#include "source/background.hpp"
#include "source/docker_stop.hpp"
#include "source/docker_survey.hpp"
#include "source/source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

/// Volumes of containers (Docker's or Podman's), read while the containers that write to them are stopped.
/// docs/docker.md tells the user's side.
class DockerSource : public Source {
  public:
    DockerSource(const Plan& plan, Ledger& ledger);

    awaitable<void> prepare() override;
    Upload upload() override;
    awaitable<void> doneReading() override;
    [[nodiscard]] nlohmann::json metadata() const override;
    [[nodiscard]] nlohmann::json manifest() const override;

  private:
    awaitable<void> measure();
    awaitable<void> findWhoRunsMeanwhile();
    awaitable<void> startContainers();

    const DockerConfig& config_;
    Ledger& ledger_;
    Background background_;

    std::optional<Engine> engine_;
    DockerSurvey survey_;
    std::uint64_t estimate_ = 0;
    std::vector<StoppedContainer> stopped_;
    std::vector<std::string> killed_;     ///< containers that did not end in time when they were told to
    std::vector<std::string> disturbers_; ///< containers that somebody started while the volumes were read
    std::vector<std::string> removed_;    ///< containers that were removed while they were stopped
};

} // namespace holdfast
