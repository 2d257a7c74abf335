#include "bus/job_object.hpp"

#include "bus/object_path.hpp"

namespace holdfast {

JobObject::JobObject(Handlers& handlers, JobView view)
    : AdaptorInterfaces(handlers.connection, jobPath(view.name)), handlers_(handlers), view_(std::move(view)),
      emitted_(view_) {
    registerAdaptor();
}

JobObject::~JobObject() { unregisterAdaptor(); }

void JobObject::emitAdded() {
    emitted_ = view_;
    getObject().emitInterfacesAddedSignal();
}

void JobObject::emitRemoved() { getObject().emitInterfacesRemovedSignal(); }

void JobObject::emitChanges() {
    const auto changed = changedProperties(emitted_, view_);
    emitted_ = view_;
    if (changed.empty()) return;
    compat::emitPropertiesChanged(getObject(), INTERFACE_NAME, {changed.begin(), changed.end()});
}

void JobObject::Start(sdbus::Result<std::string, sdbus::ObjectPath>&& result, VariantMap options) {
    serve(handlers_.io, std::move(result), handlers_.runs.start(caller(), view_.name, std::move(options)), "Start");
}

void JobObject::Stop(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result, VariantMap options) {
    serve(handlers_.io, std::move(result), handlers_.runs.stop(caller(), view_.name, std::move(options)), "Stop");
}

void JobObject::GetConfig(sdbus::Result<std::string>&& result, VariantMap options) {
    serve(handlers_.io, std::move(result), handlers_.jobs.config(caller(), view_.name, std::move(options)),
          "GetConfig");
}

void JobObject::Update(sdbus::Result<>&& result, std::string mergePatch, VariantMap options) {
    serve(handlers_.io, std::move(result),
          handlers_.jobs.update(caller(), view_.name, std::move(mergePatch), std::move(options)), "Update");
}

void JobObject::Remove(sdbus::Result<>&& result, VariantMap options) {
    serve(handlers_.io, std::move(result), handlers_.jobs.remove(caller(), view_.name, std::move(options)), "Remove");
}

} // namespace holdfast
