#pragma once

#include "bus/caller_limit.hpp"
#include "bus/callers.hpp"
#include "bus/outbox.hpp"
#include "bus/polkit.hpp"
#include "history/history.hpp"
#include "job/settings.hpp"
#include "job/store.hpp"
#include "queue/dispatcher.hpp"
#include "queue/schedules.hpp"
#include "run/paths.hpp"
#include "unit/probe.hpp"

namespace holdfast {

/// What the methods on the bus work with. Everything in it outlives them.
struct Services {
    const Paths& paths;
    Settings& settings; ///< in force; Reload replaces it
    JobStore& jobs;
    History& history;
    Dispatcher& dispatcher;
    Schedules& schedules; ///< of backups
    Schedules& drills;    ///< of drills
    Prober& prober;
    Callers& callers;
    Polkit& polkit;
    Outbox& outbox;
    /// Probes start units, so users get a few at a time; one is left for those that the service makes of itself.
    CallerLimit probes{2, Prober::maxOpen - 1, 2, "checks of jobs and remotes"};
    /// Why holdfast.json is not in force; empty: it is.
    std::string settingsFault{};
    /// False if it was broken when the service started: then there are none to go by.
    bool settingsKnown = true;

    /// For all that is started by them. Throws `Error` if they are not known: a remote may be named in another file.
    [[nodiscard]] const Settings& demandSettings() const;
};

/// What polkit and its rules are told of a job.
Details detailsOf(const Job& job);

} // namespace holdfast
