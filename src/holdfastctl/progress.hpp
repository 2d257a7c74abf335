#pragma once

#include "holdfastctl/output.hpp"

#include <chrono>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast::ctl {

/// A run's progress in words: "uploading 1.2 GiB of ~3.1 GiB (~39%) at 110 MiB/s, 17s left, attempt 2 of 3".
std::string progressText(const nlohmann::json& run);

/// In a word or two: "running ~39%".
std::string progressInBrief(const nlohmann::json& run);

/// Shows a run that changes. Which of the three kinds is told by the output: a bar on a terminal, lines elsewhere, JSON
/// lines.
class ProgressView {
  public:
    virtual ~ProgressView() = default;
    /// The run is as `run` says; called on every change.
    virtual void show(const nlohmann::json& run) = 0;
    /// The run has ended so.
    virtual void end(const nlohmann::json& run) = 0;
    /// Something happened to us, not to the run.
    virtual void note(const std::string& event, const std::string& text) = 0;
};

std::unique_ptr<ProgressView> makeProgressView(Output& out);

} // namespace holdfast::ctl
