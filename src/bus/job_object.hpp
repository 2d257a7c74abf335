#pragma once

#include "bus/handlers.hpp"
#include "bus/org.holdfast1.adaptor.hpp"
#include "bus/views.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

/// `/org/holdfast1/job/<escaped name>`: shows a job. Its methods go by the job's name, so the object may vanish
/// meanwhile.
class JobObject final : public sdbus::AdaptorInterfaces<org::holdfast1::Job_adaptor> {
  public:
    JobObject(Handlers& handlers, JobView view);
    ~JobObject();

    [[nodiscard]] const JobView& view() const { return view_; }
    void show(JobView view) { view_ = std::move(view); }

    void emitAdded();
    void emitRemoved();
    /// PropertiesChanged for what has changed since the last time.
    void emitChanges();

  private:
    void Start(sdbus::Result<std::string, sdbus::ObjectPath>&& result, VariantMap options) override;
    void Stop(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result, VariantMap options) override;
    void GetConfig(sdbus::Result<std::string>&& result, VariantMap options) override;
    void Update(sdbus::Result<>&& result, std::string mergePatch, VariantMap options) override;
    void Remove(sdbus::Result<>&& result, VariantMap options) override;

    std::string Name() override { return view_.name; }
    bool Enabled() override { return view_.enabled; }
    std::string Schedule() override { return view_.schedule; }
    std::uint64_t NextRunAt() override { return view_.nextRunAt; }
    std::string SourceType() override { return view_.sourceType; }
    std::string Destination() override { return view_.destination; }
    std::string LastRunId() override { return view_.lastRunId; }
    std::uint64_t LastRunAt() override { return view_.lastRunAt; }
    std::string LastRunResult() override { return view_.lastRunResult; }
    std::uint64_t LastSuccessAt() override { return view_.lastSuccessAt; }
    std::uint64_t SchedulePeriod() override { return view_.schedulePeriod; }
    std::uint64_t NextDrillAt() override { return view_.nextDrillAt; }
    std::uint64_t LastDrillAt() override { return view_.lastDrillAt; }
    std::string LastDrillId() override { return view_.lastDrillId; }
    std::string LastDrillResult() override { return view_.lastDrillResult; }
    std::uint64_t LastProvenAt() override { return view_.lastProvenAt; }

    [[nodiscard]] Caller caller() { return compat::currentCaller(getObject()); }

    Handlers& handlers_;
    JobView view_;
    JobView emitted_;
};

} // namespace holdfast
