#pragma once

#include "bus/backup_requests.hpp"
#include "bus/job_checks.hpp"
#include "bus/job_requests.hpp"
#include "bus/remote_requests.hpp"
#include "bus/retention_requests.hpp"
#include "bus/run_requests.hpp"
#include "bus/services.hpp"

#include <boost/asio/io_context.hpp>
#include <sdbus-c++/sdbus-c++.h>

namespace holdfast {

/// What every object on the bus needs to answer.
struct Handlers {
    asio::io_context& io;
    sdbus::IConnection& connection;
    Services& services;
    JobRequests& jobs;
    RunRequests& runs;
    RemoteRequests& remotes;
    BackupRequests& backups;
    RetentionRequests& retention;
    const JobChecks& checks;
};

} // namespace holdfast
