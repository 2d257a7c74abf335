#include "bus/errors.hpp"

#include "bus/variant.hpp"
#include "job/job.hpp"
#include "job/store.hpp"
#include "queue/dispatcher.hpp"
#include "util/log.hpp"
#include "util/sdbus_compat.hpp"
#include "util/text.hpp"

#include <string>

#include <fmt/format.h>

namespace holdfast {

namespace {

struct Row {
    bool (*matches)(const std::exception&);
    const char* name;
};

template<typename Kind>
bool is(const std::exception& e) {
    return dynamic_cast<const Kind*>(&e) != nullptr;
}

/// Derived types stand before their bases.
constexpr Row table[] = {
    {is<InvalidJob>, "org.holdfast1.Error.InvalidConfig"},
    {is<NoSuchJob>, "org.holdfast1.Error.NoSuchJob"},
    {is<JobExists>, "org.holdfast1.Error.JobExists"},
    {is<NoSuchRun>, "org.holdfast1.Error.NoSuchRun"},
    {is<NoSuchRemote>, "org.holdfast1.Error.NoSuchRemote"},
    {is<NoSuchBackup>, "org.holdfast1.Error.NoSuchBackup"},
    {is<JobDisabled>, "org.holdfast1.Error.Disabled"},
    {is<AlreadyQueued>, "org.holdfast1.Error.AlreadyQueued"},
    {is<QueueFull>, "org.holdfast1.Error.QueueFull"},
    {is<NotCancelable>, "org.holdfast1.Error.NotCancelable"},
    {is<InvalidArgs>, "org.freedesktop.DBus.Error.InvalidArgs"},
    {is<AccessDenied>, "org.freedesktop.DBus.Error.AccessDenied"},
    {is<InteractionRequired>, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"},
    {is<LimitsExceeded>, "org.freedesktop.DBus.Error.LimitsExceeded"},
    {is<Error>, "org.holdfast1.Error.Failed"},
};

BusError describe(const std::exception& e) {
    // All problems of a job are told, however many they are.
    const std::string words = is<InvalidJob>(e) ? std::string(e.what()) : shortened(e.what(), longestSentence);
    for (const Row& row : table) {
        if (row.matches(e)) return {row.name, busText(words), false};
    }
    return {"org.holdfast1.Error.Failed", busText(words), true};
}

} // namespace

BusError describeError(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        return describe(e);
    } catch (...) {
        return {"org.holdfast1.Error.Failed", "Something failed that says nothing of itself.", true};
    }
}

sdbus::Error busError(const std::exception_ptr& failure, const std::string& what) {
    const BusError error = describeError(failure);
    if (error.ours) logError(fmt::format("{}: {}", what, error.message));
    return compat::error(error.name, error.message);
}

} // namespace holdfast
