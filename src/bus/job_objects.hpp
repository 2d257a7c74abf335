#pragma once

#include "bus/handlers.hpp"
#include "bus/views.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <systemd/sd-bus.h>

namespace holdfast {

/// All of `/org/holdfast1/job/<escaped name>`. There may be thousands, so they have one vtable together, on the path
/// that is common to them, where an object of sdbus-c++ would take some 5 KiB for each. Methods go by the job's name,
/// so a job may vanish meanwhile.
class JobObjects {
  public:
    /// `pastOf` tells what the history knows of a job. It is asked when somebody wants to know, not for every job there
    /// is.
    JobObjects(Handlers& handlers, std::function<JobPast(const std::string& job)> pastOf);
    JobObjects(const JobObjects&) = delete;
    JobObjects& operator=(const JobObjects&) = delete;

    /// From now on, what happens to jobs is signalled. Before the bus name is taken there is nobody to tell.
    void announce() { announced_ = true; }

    /// What it shows of its past does not count.
    void add(JobView view);
    /// The object is gone once its last signal is out.
    void remove(const std::string& job);
    [[nodiscard]] bool contains(const std::string& job) const;
    [[nodiscard]] std::vector<std::string> names() const;

    /// What the document says and what the timers tell.
    void show(const Job& job, const JobFuture& future);
    void show(const std::string& job, const JobFuture& future);
    /// Reads a few of the pasts that nobody has asked for yet; true if that was the last of them. All of them at once,
    /// as a list of all objects needs them, would take long.
    bool knowSomePasts();
    /// Before a run changes a job's past, it must be known; afterwards it is read again.
    void knowPast(const std::string& job);
    void readPastAgain(const std::string& job);

  private:
    struct Object {
        JobObjects& all;
        JobView view;
        bool pastKnown = false;
        bool leaving = false; ///< removed, but its last signal is not out yet
    };
    struct Vtable;
    struct Unref {
        void operator()(sd_bus_slot* slot) const { ::sd_bus_slot_unref(slot); }
    };
    using Slot = std::unique_ptr<sd_bus_slot, Unref>;

    [[nodiscard]] Object* find(const std::string& job);
    bool knowPast(Object& object);
    [[nodiscard]] std::optional<JobPast> readPast(const std::string& job) const noexcept;
    void change(Object& object, JobView view);
    void emitChanges(const std::string& job);
    void emitRemoved(const std::string& job);

    Handlers& handlers_;
    const std::function<JobPast(const std::string& job)> pastOf_;
    const compat::RawBus bus_;
    std::map<std::string, Object> objects_;
    std::map<std::string, JobView> emitted_; ///< of jobs whose changes are about to be signalled, what was shown before
    bool announced_ = false;
    Slot vtable_;
    Slot enumerator_;
};

} // namespace holdfast
