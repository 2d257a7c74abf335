#pragma once

#include "source/background.hpp"
#include "source/docker_pause.hpp"
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

    const DockerConfig& config_;
    DockerPause pause_;
    Background background_;

    std::optional<Engine> engine_;
    DockerSurvey survey_;
    std::uint64_t estimate_ = 0;
};

} // namespace holdfast
