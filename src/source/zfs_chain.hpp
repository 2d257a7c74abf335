#pragma once

#include "run/manifest.hpp"
#include "run/paths.hpp"
#include "run/plan.hpp"
#include "source/zfs_base.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast {

/// Decides whether a run of a job sends all or only what has changed since the last completed run, which is its base.
/// Whatever speaks against the base makes it a full send, never a failure. `plan` must outlive it.
class ZfsChain {
  public:
    ZfsChain(const Plan& plan, const Paths& paths);

    /// The base that the record names, fit or not: it is given back when a later run is completed.
    [[nodiscard]] const std::optional<ZfsBase>& recorded() const { return recorded_; }
    /// Whether there is a record, even one that cannot be understood.
    [[nodiscard]] bool hasRecord() const { return hasRecord_; }

    /// "remote:path" of the base's manifest; nothing if no base fits the job.
    [[nodiscard]] std::optional<std::string> manifest() const;
    /// What lies there now.
    void found(const std::optional<Manifest>& manifest);
    /// Asks ZFS whether the base is still there and is the one that was sent. Throws `Error` if zfs cannot tell.
    awaitable<void> check();

    /// What to send from; nothing: all is sent.
    [[nodiscard]] const std::optional<ZfsBase>& base() const { return base_; }
    /// Of this run.
    [[nodiscard]] std::uint32_t depth() const { return base_ ? base_->depth + 1 : 0; }
    /// Why all is sent; empty if it is not, or if the job is not incremental.
    [[nodiscard]] const std::string& whyFull() const { return whyFull_; }

  private:
    void sendAll(std::string why);
    [[nodiscard]] std::string whyNotOf(const ZfsBase& base) const;
    awaitable<void> checkBelow();

    const Plan& plan_;
    const ZfsConfig& config_;
    bool hasRecord_ = false;
    std::optional<ZfsBase> recorded_;
    std::optional<ZfsBase> base_;
    std::string whyFull_;
};

} // namespace holdfast
