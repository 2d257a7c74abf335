#include "bus/job_objects.hpp"

#include "bus/errors.hpp"
#include "bus/object_path.hpp"
#include "util/log.hpp"

#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr const char* interface = "org.holdfast1.Job";

/// An error of sd-bus as sdbus-c++ has it, so that what sends signals need not tell them apart.
void check(int result, const char* what) {
    if (result >= 0) return;
    throw compat::error(SD_BUS_ERROR_FAILED,
                        fmt::format("Could not {}: {}", what, std::generic_category().message(-result)));
}

/// For functions of sd-bus that only read.
std::vector<char*> asStrv(const std::vector<std::string>& names) {
    std::vector<char*> strv;
    for (const auto& name : names) strv.push_back(const_cast<char*>(name.c_str()));
    strv.push_back(nullptr);
    return strv;
}

int append(sd_bus_message* reply, const std::string& value) {
    return ::sd_bus_message_append_basic(reply, 's', value.c_str());
}
int append(sd_bus_message* reply, bool value) {
    const int asInt = value ? 1 : 0;
    return ::sd_bus_message_append_basic(reply, 'b', &asInt);
}
int append(sd_bus_message* reply, const std::vector<std::string>& values) {
    return ::sd_bus_message_append_strv(reply, asStrv(values).data());
}
int append(sd_bus_message* reply, USec value) { return ::sd_bus_message_append_basic(reply, 't', &value); }

struct FreeStrings {
    void operator()(char** list) const {
        for (char** text = list; *text != nullptr; ++text) std::free(*text);
        std::free(list);
    }
};
/// As sd-bus takes them over: ends with a null, and so does each of its beginnings while it is filled.
using StringList = std::unique_ptr<char*, FreeStrings>;

} // namespace

/// What sd-bus calls. No exception may pass through it.
struct JobObjects::Vtable {
    static const sd_bus_vtable members[];

    static int find(sd_bus*, const char* path, const char*, void* all, void** found, sd_bus_error*) noexcept {
        try {
            const auto name = jobAt(path);
            Object* object = name ? static_cast<JobObjects*>(all)->find(*name) : nullptr;
            if (object == nullptr) return 0;
            *found = object;
            return 1;
        } catch (const std::exception&) {
            return -ENOMEM;
        }
    }

    static int enumerate(sd_bus*, const char*, void* all, char*** paths, sd_bus_error*) noexcept {
        try {
            const auto& objects = static_cast<JobObjects*>(all)->objects_;
            StringList list(static_cast<char**>(std::calloc(objects.size() + 1, sizeof(char*))));
            if (!list) return -ENOMEM;
            std::size_t count = 0;
            for (const auto& [name, object] : objects) {
                list.get()[count] = ::strdup(jobPath(name).c_str());
                if (list.get()[count++] == nullptr) return -ENOMEM; // a short list would look like all of it
            }
            *paths = list.release();
            return 1;
        } catch (const std::exception&) {
            return -ENOMEM;
        }
    }

    template<auto member>
    static int get(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* userdata,
                   sd_bus_error*) noexcept {
        return append(reply, static_cast<Object*>(userdata)->view.*member);
    }

    /// What the history knows.
    template<auto member>
    static int getPast(sd_bus* bus, const char* path, const char* name, const char* property, sd_bus_message* reply,
                       void* userdata, sd_bus_error* error) noexcept {
        auto& object = *static_cast<Object*>(userdata);
        if (!object.all.knowPast(object)) {
            return ::sd_bus_error_set(error, SD_BUS_ERROR_FAILED, "The history cannot be read; the journal says why.");
        }
        return get<member>(bus, path, name, property, reply, userdata, error);
    }

    /// Hands a call to the coroutine that answers it, which `method` makes.
    template<typename Method>
    static int answerWith(sd_bus_message* message, void* userdata, sd_bus_error* error, const char* name,
                          Method method) noexcept {
        try {
            const auto& object = *static_cast<Object*>(userdata);
            Handlers& handlers = object.all.handlers_;
            auto call = object.all.bus_.wrap(message);
            auto reply = method(handlers, compat::callerOf(message), object.view.name, call);
            answerLater(handlers.io, std::move(call), std::move(reply), name);
            return 1;
        } catch (const std::exception& e) {
            return ::sd_bus_error_set(error, SD_BUS_ERROR_FAILED, e.what());
        }
    }

    template<typename... Out>
    static void answerLater(asio::io_context& io, sdbus::MethodCall call, Reply<Out...> reply, const char* name) {
        serve(io, sdbus::Result<Out...>(std::move(call)), std::move(reply), name);
    }

    template<typename Argument>
    static Argument read(sdbus::MethodCall& call) {
        Argument argument;
        call >> argument;
        return argument;
    }

    static int start(sd_bus_message* message, void* object, sd_bus_error* error) noexcept {
        return answerWith(message, object, error, "Start",
                          [](Handlers& to, Caller caller, std::string job, sdbus::MethodCall& call) {
                              return to.runs.start(std::move(caller), std::move(job), read<VariantMap>(call));
                          });
    }

    static int stop(sd_bus_message* message, void* object, sd_bus_error* error) noexcept {
        return answerWith(message, object, error, "Stop",
                          [](Handlers& to, Caller caller, std::string job, sdbus::MethodCall& call) {
                              return to.runs.stop(std::move(caller), std::move(job), read<VariantMap>(call));
                          });
    }

    static int getConfig(sd_bus_message* message, void* object, sd_bus_error* error) noexcept {
        return answerWith(message, object, error, "GetConfig",
                          [](Handlers& to, Caller caller, std::string job, sdbus::MethodCall& call) {
                              return to.jobs.config(std::move(caller), std::move(job), read<VariantMap>(call));
                          });
    }

    static int update(sd_bus_message* message, void* object, sd_bus_error* error) noexcept {
        return answerWith(message, object, error, "Update",
                          [](Handlers& to, Caller caller, std::string job, sdbus::MethodCall& call) {
                              auto mergePatch = read<std::string>(call);
                              return to.jobs.update(std::move(caller), std::move(job), std::move(mergePatch),
                                                    read<VariantMap>(call));
                          });
    }

    static int remove(sd_bus_message* message, void* object, sd_bus_error* error) noexcept {
        return answerWith(message, object, error, "Remove",
                          [](Handlers& to, Caller caller, std::string job, sdbus::MethodCall& call) {
                              return to.jobs.remove(std::move(caller), std::move(job), read<VariantMap>(call));
                          });
    }
};

namespace {

constexpr std::uint64_t open = SD_BUS_VTABLE_UNPRIVILEGED; // polkit decides
constexpr std::uint64_t constant = SD_BUS_VTABLE_PROPERTY_CONST;
constexpr std::uint64_t changes = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;

} // namespace

/// The same as dbus/org.holdfast1.xml, from which the other interfaces are generated; a test compares them.
const sd_bus_vtable JobObjects::Vtable::members[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", id, "o", run), start, open),
    SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("as", stopped, "as", errors), stop,
                            open),
    SD_BUS_METHOD_WITH_ARGS("GetConfig", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", config), getConfig, open),
    SD_BUS_METHOD_WITH_ARGS("Update", SD_BUS_ARGS("s", mergePatch, "a{sv}", options), SD_BUS_NO_RESULT, update, open),
    SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, remove, open),
    SD_BUS_PROPERTY("Name", "s", get<&JobView::name>, 0, constant),
    SD_BUS_PROPERTY("Enabled", "b", get<&JobView::enabled>, 0, changes),
    SD_BUS_PROPERTY("Schedule", "s", get<&JobView::schedule>, 0, changes),
    SD_BUS_PROPERTY("NextRunAt", "t", get<&JobView::nextRunAt>, 0, changes),
    SD_BUS_PROPERTY("SourceType", "s", get<&JobView::sourceType>, 0, changes),
    SD_BUS_PROPERTY("Destination", "s", get<&JobView::destination>, 0, changes),
    SD_BUS_PROPERTY("LastRunId", "s", getPast<&JobView::lastRunId>, 0, changes),
    SD_BUS_PROPERTY("LastRunAt", "t", getPast<&JobView::lastRunAt>, 0, changes),
    SD_BUS_PROPERTY("LastRunResult", "s", getPast<&JobView::lastRunResult>, 0, changes),
    SD_BUS_PROPERTY("LastSuccessAt", "t", getPast<&JobView::lastSuccessAt>, 0, changes),
    SD_BUS_PROPERTY("SchedulePeriod", "t", get<&JobView::schedulePeriod>, 0, changes),
    SD_BUS_PROPERTY("NextDrillAt", "t", get<&JobView::nextDrillAt>, 0, changes),
    SD_BUS_PROPERTY("LastDrillAt", "t", getPast<&JobView::lastDrillAt>, 0, changes),
    SD_BUS_PROPERTY("LastDrillId", "s", getPast<&JobView::lastDrillId>, 0, changes),
    SD_BUS_PROPERTY("LastDrillResult", "s", getPast<&JobView::lastDrillResult>, 0, changes),
    SD_BUS_PROPERTY("LastProvenAt", "t", getPast<&JobView::lastProvenAt>, 0, changes),
    SD_BUS_PROPERTY("Attention", "as", getPast<&JobView::attention>, 0, changes),
    SD_BUS_VTABLE_END,
};

JobObjects::JobObjects(Handlers& handlers, std::function<JobPast(const std::string& job)> pastOf)
    : handlers_(handlers), pastOf_(std::move(pastOf)), bus_(handlers.connection) {
    sd_bus_slot* slot = nullptr;
    check(::sd_bus_add_fallback_vtable(bus_.get(), &slot, jobsPath, interface, Vtable::members, Vtable::find, this),
          "register the jobs on the bus");
    vtable_.reset(slot);
    check(::sd_bus_add_node_enumerator(bus_.get(), &slot, jobsPath, Vtable::enumerate, this),
          "list the jobs on the bus");
    enumerator_.reset(slot);
}

JobObjects::Object* JobObjects::find(const std::string& job) {
    const auto found = objects_.find(job);
    return found == objects_.end() ? nullptr : &found->second;
}

bool JobObjects::contains(const std::string& job) const {
    const auto found = objects_.find(job);
    return found != objects_.end() && !found->second.leaving;
}

std::vector<std::string> JobObjects::names() const {
    std::vector<std::string> names;
    for (const auto& [name, object] : objects_) {
        if (!object.leaving) names.push_back(name);
    }
    return names;
}

void JobObjects::add(JobView view) {
    const std::string job = view.name;
    if (find(job) != nullptr) emitRemoved(job); // a path can have one object only
    objects_.emplace(job, Object{*this, std::move(view)});
    if (!announced_) return;
    handlers_.services.outbox.put([this, job] {
        if (!contains(job)) return;
        emitted_.erase(job);
        check(::sd_bus_emit_object_added(bus_.get(), jobPath(job).c_str()), "signal a new job");
    });
}

void JobObjects::remove(const std::string& job) {
    objects_.at(job).leaving = true;
    handlers_.services.outbox.put([this, job] {
        const Object* object = find(job);
        if (object != nullptr && object->leaving) emitRemoved(job);
    });
}

void JobObjects::emitRemoved(const std::string& job) {
    check(::sd_bus_emit_object_removed(bus_.get(), jobPath(job).c_str()), "signal that a job is gone");
    objects_.erase(job);
    emitted_.erase(job);
}

void JobObjects::show(const Job& job, const JobFuture& future) {
    Object& object = objects_.at(job.name);
    JobView view = object.view;
    view.show(job);
    view.show(future);
    const bool moved = view.destination != object.view.destination;
    change(object, std::move(view));
    if (moved && object.pastKnown) readPastAgain(job.name); // drills and proofs are of one destination
}

void JobObjects::show(const std::string& job, const JobFuture& future) {
    if (!contains(job)) return;
    Object& object = objects_.at(job);
    JobView view = object.view;
    view.show(future);
    change(object, std::move(view));
}

void JobObjects::knowPast(const std::string& job) {
    if (Object* object = find(job)) knowPast(*object);
}

bool JobObjects::knowPast(Object& object) {
    if (object.pastKnown) return true;
    const auto past = readPast(object.view.name);
    if (!past) return false;
    object.view.show(*past);
    object.pastKnown = true;
    // It was so before, though nobody had looked.
    const auto before = emitted_.find(object.view.name);
    if (before != emitted_.end()) before->second.show(*past);
    return true;
}

bool JobObjects::knowSomePasts() {
    constexpr int atOnce = 20;
    int read = 0;
    for (auto& [job, object] : objects_) {
        if (object.pastKnown) continue;
        if (read++ == atOnce) return false;
        if (!knowPast(object)) return true; // it will be said when the property is asked for
    }
    return true;
}

void JobObjects::readPastAgain(const std::string& job) {
    if (!contains(job)) return;
    Object& object = objects_.at(job);
    const auto past = readPast(job);
    object.pastKnown = past.has_value();
    if (!past) return;
    JobView view = object.view;
    view.show(*past);
    change(object, std::move(view));
}

std::optional<JobPast> JobObjects::readPast(const std::string& job) const noexcept {
    try {
        return pastOf_(job);
    } catch (const std::exception& e) {
        logWarning(fmt::format("How job \"{}\" has fared is not known: {}", job, e.what()));
        return std::nullopt;
    }
}

void JobObjects::change(Object& object, JobView view) {
    if (changedProperties(object.view, view).empty()) return;
    if (announced_ && emitted_.try_emplace(view.name, object.view).second) {
        handlers_.services.outbox.put([this, job = view.name] { emitChanges(job); });
    }
    object.view = std::move(view);
}

void JobObjects::emitChanges(const std::string& job) {
    const auto before = emitted_.extract(job);
    if (before.empty() || !contains(job)) return;
    const auto changed = changedProperties(before.mapped(), objects_.at(job).view);
    if (changed.empty()) return;
    check(::sd_bus_emit_properties_changed_strv(bus_.get(), jobPath(job).c_str(), interface, asStrv(changed).data()),
          "signal a changed job");
}

} // namespace holdfast
