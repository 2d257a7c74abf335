#pragma once

#include "bus/handlers.hpp"
#include "bus/org.holdfast1.adaptor.hpp"
#include "bus/views.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

namespace holdfast {

/// `/org/holdfast1/run/<id>`: shows a run. Progress goes out at most every 500 ms; a change of state or phase at once.
class RunObject final : public sdbus::AdaptorInterfaces<org::holdfast1::Run_adaptor>,
                        public std::enable_shared_from_this<RunObject> {
  public:
    RunObject(Handlers& handlers, RunView view);
    ~RunObject();

    [[nodiscard]] const RunView& view() const { return view_; }
    /// Shows what is new, and puts the signals into the outbox now or when the 500 ms are over.
    void show(RunView view);

    void emitAdded();
    void emitRemoved();

  private:
    /// To whoever asks at this moment; to everybody in a signal.
    [[nodiscard]] RunView shown() const { return shownTo(handlers_.services.callers.current(), view_); }
    void emitSoon();
    void emitLater();
    void emitChanges();

    void Cancel(sdbus::Result<>&& result, VariantMap options) override;

    std::string Id() override { return view_.id; }
    std::string Job() override { return view_.job; }
    std::string Kind() override { return view_.kind; }
    std::string Unit() override { return view_.unit; }
    std::uint32_t StartedByUid() override { return view_.startedByUid; }
    std::string State() override { return view_.state; }
    std::string Phase() override { return view_.phase; }
    std::string BlockedOn() override { return view_.blockedOn; }
    std::uint32_t Attempt() override { return view_.attempt; }
    std::uint32_t MaxAttempts() override { return view_.maxAttempts; }
    std::uint64_t QueuedAt() override { return view_.queuedAt; }
    std::uint64_t StartedAt() override { return view_.startedAt; }
    std::uint64_t FinishedAt() override { return view_.finishedAt; }
    std::uint64_t BytesDone() override { return view_.bytesDone; }
    std::uint64_t BytesTotal() override { return view_.bytesTotal; }
    bool BytesTotalEstimated() override { return view_.bytesTotalEstimated; }
    std::uint64_t Rate() override { return view_.rate; }
    std::uint64_t EtaUSec() override { return view_.etaUSec; }
    bool Stalled() override { return view_.stalled; }
    std::string OutputPath() override { return shown().outputPath; }
    std::string Result() override { return view_.result; }
    std::string Error() override { return shown().error; }
    VariantMap Metadata() override { return toVariantMap(shown().metadata); }

    Handlers& handlers_;
    RunView view_;
    RunView emitted_;
    asio::steady_timer timer_;
    std::chrono::steady_clock::time_point lastEmission_{};
    bool inOutbox_ = false;
    bool waiting_ = false;
};

} // namespace holdfast
