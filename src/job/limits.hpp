#pragma once

#include "job/job.hpp"

#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace holdfast {

/// The job's `limits`, in numbers. "infinity" is the largest number, as it is on systemd's bus. What cannot be
/// understood is left out and added to `problems`, unless they name the field already.
Limits resolveLimits(const nlohmann::json& limits, std::vector<Problem>& problems);

/// `outputMax` of a script's configuration, in bytes; as resolveLimits() otherwise.
std::optional<std::uint64_t> resolveOutputMax(const nlohmann::json& script, std::vector<Problem>& problems);

/// `maxSize` of a drill's configuration, in bytes; as resolveLimits() otherwise.
std::optional<std::uint64_t> resolveDrillMax(const nlohmann::json& drill, std::vector<Problem>& problems);

} // namespace holdfast
