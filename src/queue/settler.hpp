#pragma once

#include "queue/run_files.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "run/state.hpp"
#include "unit/systemd.hpp"
#include "util/asio.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace holdfast {

/// How long to wait before something that failed is tried again: doubling, up to a limit.
struct BackOff {
    std::chrono::milliseconds first = std::chrono::seconds(30);
    std::chrono::milliseconds most = std::chrono::minutes(10);

    std::chrono::milliseconds next() {
        const auto pause = first;
        first = std::min(first * 2, most);
        return pause;
    }
};

/// Brings a run whose unit is gone to its result, and sees to it that nothing of it is left, with cleanup units for as
/// long as that takes.
class Settler {
  public:
    /// Told, in a sentence, why a try has failed and that there will be another.
    using Report = std::function<void(const std::string& why)>;

    /// All must outlive it.
    Settler(const Paths& paths, const RunFiles& files, Systemd& systemd, BackOff backOff)
        : paths_(paths), files_(files), systemd_(systemd), backOff_(backOff) {}

    /// Returns when it is certain how the run ended. Nothing: nobody has written a result, and there is no ledger from
    /// which to make one. `plan` may be null; it must live as long as this takes.
    awaitable<std::optional<RunResult>> settle(std::string id, const Plan* plan, Report report);
    /// Returns when the run's ledger is gone.
    awaitable<void> giveBack(std::string id, const Plan* plan, Report report);

  private:
    awaitable<std::string> cleanUp(std::string id, const Plan* plan);
    [[nodiscard]] UnitProperties propertiesOf(const std::string& id, const Plan* plan) const;
    awaitable<void> pause(std::string id, std::string failure, BackOff& backOff, const Report& report);

    const Paths& paths_;
    const RunFiles& files_;
    Systemd& systemd_;
    BackOff backOff_;
};

} // namespace holdfast
