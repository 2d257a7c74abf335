#include "bus/run_object.hpp"

#include "bus/object_path.hpp"

#include <tuple>

namespace holdfast {

namespace {

constexpr std::chrono::milliseconds progressInterval{500};

bool onlyProgress(const RunView& before, const RunView& after) {
    const auto rest = [](const RunView& v) {
        return std::tie(v.state, v.phase, v.blockedOn, v.attempt, v.stalled, v.result, v.error, v.finishedAt);
    };
    return rest(before) == rest(after);
}

bool sameProgress(const RunView& a, const RunView& b) {
    const auto figures = [](const RunView& v) { return std::tie(v.bytesDone, v.bytesTotal, v.rate, v.etaUSec); };
    return figures(a) == figures(b);
}

} // namespace

RunObject::RunObject(Handlers& handlers, RunView view)
    : AdaptorInterfaces(handlers.connection, runPath(view.id)), handlers_(handlers), view_(std::move(view)),
      emitted_(view_), timer_(handlers.io) {
    registerAdaptor();
}

RunObject::~RunObject() { unregisterAdaptor(); }

void RunObject::show(RunView view) {
    const bool progress = onlyProgress(view_, view);
    view_ = std::move(view);
    if (progress)
        emitLater();
    else
        emitSoon();
}

void RunObject::emitSoon() {
    if (std::exchange(inOutbox_, true)) return;
    handlers_.services.outbox.put([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->emitChanges();
    });
}

void RunObject::emitLater() {
    if (inOutbox_ || std::exchange(waiting_, true)) return;
    timer_.expires_at(lastEmission_ + progressInterval);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code) {
        const auto self = weak.lock();
        if (!self) return;
        self->waiting_ = false;
        self->emitSoon();
    });
}

void RunObject::emitChanges() {
    inOutbox_ = false;
    lastEmission_ = std::chrono::steady_clock::now();
    const auto changed = changedProperties(emitted_, view_);
    const bool moved = !sameProgress(emitted_, view_);
    emitted_ = view_;
    if (changed.empty()) return;
    compat::emitPropertiesChanged(getObject(), INTERFACE_NAME, {changed.begin(), changed.end()});
    if (moved) emitProgress(view_.bytesDone, view_.bytesTotal, view_.rate, view_.etaUSec);
}

void RunObject::emitAdded() {
    emitted_ = view_;
    getObject().emitInterfacesAddedSignal();
}

void RunObject::emitRemoved() { getObject().emitInterfacesRemovedSignal(); }

void RunObject::Cancel(sdbus::Result<>&& result, VariantMap options) {
    serve(handlers_.io, std::move(result),
          handlers_.runs.cancel(compat::currentCaller(getObject()), view_.id, std::move(options)), "Cancel");
}

} // namespace holdfast
