#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "holdfastctl/run_lookup.hpp"

#include <cstring>
#include <functional>
#include <sstream>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace {

using namespace holdfast::ctl;

/// What the command line says.
struct Arguments {
    bool json = false;
    bool noAskPassword = false;
    bool yes = false;
    bool follow = false;
    bool scheduled = false;
    bool configOnly = false;
    std::string name;
    std::string file;
    std::string fromBackup;
    bool printOnly = false;
    bool check = false;
    std::vector<std::string> assignments;
    std::optional<std::string> path;
    std::string remote;
    std::string target;
    std::vector<std::string> only;
    bool force = false;
    bool intoVolumes = false;
    std::vector<std::string> volumes;
    std::string engineSocket;
    bool deep = false;
    bool shallow = false;
    bool dryRun = false;
    bool now = false;
    bool remove = false;
    bool anyRun = false;
    RunFilter filter;
    std::uint32_t limit = 20;
    std::function<int(Context&)> command;
};

/// What the user wants instead of what the job says.
std::optional<bool> deepOf(const Arguments& a) {
    if (!a.deep && !a.shallow) return std::nullopt;
    return a.deep;
}

CLI::App* addCommand(CLI::App& parent, const std::string& name, const std::string& description, Arguments& arguments,
                     std::function<int(Context&)> command) {
    auto* app = parent.add_subcommand(name, description);
    app->callback([&arguments, command = std::move(command)] { arguments.command = command; });
    return app;
}

std::optional<BackupPlace> placeOf(const Arguments& a) {
    if (a.remote.empty()) return std::nullopt;
    return BackupPlace{a.remote, a.path.value_or("")};
}

CLI::Option* addPlace(CLI::App* command, Arguments& a) {
    auto* remote = command->add_option("--remote", a.remote, "The remote on which the backups lie");
    command->add_option("--path", a.path, "The folder on that remote, or one above it")->needs(remote);
    return remote;
}

int createJobFrom(Context& context, const Arguments& a) {
    if (!a.fromBackup.empty()) return createJobFromBackup(context, a.fromBackup, placeOf(a), a.printOnly, a.yes);
    if (!a.file.empty()) return createJob(context, a.file);
    throw ServiceError("org.holdfast1.Error.Usage",
                       "Say which job: a FILE, or --from-backup BACKUP.\n'holdfastctl job create --help' tells more.",
                       exitWith::usage);
}

void addJobCommands(CLI::App& app, Arguments& a) {
    auto& job = *app.add_subcommand("job", "Configure jobs");
    job.require_subcommand(1);
    const auto add = [&](const char* name, const char* description, std::function<int(Context&)> command) {
        return addCommand(job, name, description, a, std::move(command));
    };
    const auto named = [&](CLI::App* command) {
        command->add_option("JOB", a.name, "Name of the job")->required();
        return command;
    };
    auto* create = add("create", "Store a new job", [&](Context& c) { return createJobFrom(c, a); });
    auto* file = create->add_option("FILE", a.file, "The job as JSON; - is standard input");
    auto* backup =
        create->add_option("--from-backup", a.fromBackup, "The job that has made this backup")->excludes(file);
    create->add_flag("--print", a.printOnly, "Only show what would be stored")->needs(backup);
    create->add_flag("-y,--yes", a.yes, "Do not ask")->needs(backup);
    addPlace(create, a)->needs(backup);
    named(add("show", "Show a job and its configuration", [&](Context& c) {
        return showJob(c, a.name, a.configOnly);
    }))->add_flag("--config", a.configOnly, "Only the configuration, as `job create` takes it");
    add("list", "List the jobs", [](Context& c) { return listJobs(c); });
    named(add("edit", "Change a job in $VISUAL or $EDITOR", [&](Context& c) { return editJob(c, a.name); }));
    named(add("set", "Change members of a job", [&](Context& c) { return setInJob(c, a.name, a.assignments); }))
        ->add_option("KEY=VALUE", a.assignments, "e.g. enabled=false or limits.memoryMax=1G; KEY= removes")
        ->required();
    named(add("remove", "Remove a job; its backups stay", [&](Context& c) {
        return removeJob(c, a.name, a.yes);
    }))->add_flag("-y,--yes", a.yes, "Do not ask");
}

void addRunCommands(CLI::App& app, Arguments& a) {
    const auto add = [&](const char* name, const char* description, std::function<int(Context&)> command) {
        return addCommand(app, name, description, a, std::move(command));
    };
    const auto ofJob = [&](CLI::App* command) {
        command->add_option("JOB", a.name, "Name of the job")->required();
        return command;
    };
    const auto ofRun = [&](CLI::App* command) {
        command->add_option("RUN", a.name, "Id of the run, its beginning, or the name of a job for its last run")
            ->required();
        return command;
    };
    auto* start = ofJob(add("start", "Start a job now", [&](Context& c) {
        return a.scheduled ? startScheduled(c, a.name) : startJob(c, a.name, a.follow);
    }));
    auto* follow = start->add_flag("-f,--follow", a.follow, "Show progress until it ends");
    start->add_flag("--scheduled", a.scheduled, "As timers do: start nothing while a run of the job is under way")
        ->excludes(follow);
    auto* drill =
        ofJob(add("drill", "Restore the newest backup of a job to scratch, compare it, and remove it", [&](Context& c) {
            return a.scheduled ? drillScheduled(c, a.name) : drillJob(c, a.name, a.follow, deepOf(a));
        }));
    auto* followDrill = drill->add_flag("-f,--follow", a.follow, "Show progress until it ends");
    auto* deep = drill->add_flag("--deep", a.deep, "Restore it, whatever the job says");
    drill->add_flag("--shallow", a.shallow, "Only look at it, whatever the job says")->excludes(deep);
    drill->add_flag("--scheduled", a.scheduled, "As timers do: start nothing while a drill of the job is under way")
        ->excludes(followDrill)
        ->excludes(deep);
    ofJob(add("stop", "Cancel all runs of a job", [&](Context& c) { return stopJob(c, a.name); }));
    ofRun(add("follow", "Show a run's progress until it ends",
              [&](Context& c) { return followRun(c, resolveRun(c.client, a.name, OfJob::LiveRun)); }));
    ofRun(add("show", "Show a run", [&](Context& c) { return showRun(c, a.name); }));
    ofRun(add("cancel", "Cancel a run", [&](Context& c) { return cancelRun(c, a.name); }));
    ofRun(add("log", "Show a run's journal", [&](Context& c) {
        return showLog(c, a.name, a.follow);
    }))->add_flag("-f,--follow", a.follow, "Go on as lines are written");

    auto* runs = add("runs", "List runs, newest first", [&](Context& c) { return listRuns(c, a.filter, a.limit); });
    runs->add_option("-j,--job", a.filter.job, "Only runs of this job");
    runs->add_option("-r,--result", a.filter.result, "Only runs that ended so")
        ->check(CLI::IsMember({"done", "failed", "cancelled", "timeout", "interrupted"}));
    runs->add_option("-n,--limit", a.limit, "At most so many")->check(CLI::Range(1, 1000))->capture_default_str();
}

/// Of a backup that this machine's jobs and history do not tell of.
void addBackupCommands(CLI::App& app, Arguments& a) {
    const auto add = [&](const char* name, const char* description, std::function<int(Context&)> command) {
        auto* added = addCommand(app, name, description, a, std::move(command));
        addPlace(added, a);
        return added;
    };
    const auto following = [&](CLI::App* command) {
        command->add_flag("-f,--follow", a.follow, "Show progress until it ends");
        return command;
    };
    add("backups", "List the backups that lie at a remote", [&](Context& c) {
        return listBackups(c, a.name, placeOf(a));
    })->add_option("JOB", a.name, "Only backups of this job");

    auto* restore = following(add("restore", "Restore a backup", [&](Context& c) {
        const RestoreOptions options{a.force, a.follow, a.only, a.intoVolumes, a.volumes, a.engineSocket};
        return restoreBackup(c, a.name, a.target, placeOf(a), options);
    }));
    restore->add_option("BACKUP", a.name, "Id of its run, its beginning, or the name of a job for its newest")
        ->required();
    auto* target = restore->add_option("TARGET", a.target,
                                       "A folder, or a dataset for a backup of one; must not exist, but for --only");
    restore->add_flag("--force", a.force,
                      "What is at the target is renamed and kept, once the backup has come back whole");
    restore->add_option("--only", a.only, "Only these paths of the backup");
    restore
        ->add_flag("--volumes", a.intoVolumes,
                   "Instead of to a TARGET, into the containers' volumes that the backup is of; what uses them is "
                   "stopped meanwhile")
        ->excludes(target);
    restore
        ->add_option("--volume", a.volumes, "Of these only this one, NAME; or NAME:OTHER, into another volume; repeat")
        ->excludes(target)
        ->allow_extra_args(false);
    restore->add_option("--engine-socket", a.engineSocket, "The socket of the containers' engine")->excludes(target);

    auto* verify = following(add("verify", "Check whether backups can be restored",
                                 [&](Context& c) { return verifyBackups(c, a.name, placeOf(a), a.deep, a.follow); }));
    verify->add_option("BACKUP", a.name, "Id of its run, its beginning, or the name of a job for all of its")
        ->required();
    verify->add_flag("--deep", a.deep, "Read all of it back, instead of looking at sizes and hashes");
}

void addRetentionCommands(CLI::App& app, Arguments& a) {
    const auto following = [&](CLI::App* command) {
        command->add_flag("-f,--follow", a.follow, "Show progress until it ends");
        return command;
    };
    auto* prune = following(addCommand(app, "prune", "Say which backups of a job go, and why, or remove them", a,
                                       [&](Context& c) { return pruneJob(c, a.name, a.now, a.follow); }));
    prune->add_option("JOB", a.name, "Name of the job")->required();
    auto* dryRun = prune->add_flag("--dry-run", a.dryRun, "Only say it: so it does anyway without --now");
    prune->add_flag("--now", a.now, "Remove them")->excludes(dryRun);

    auto* janitor =
        following(addCommand(app, "janitor", "Look for what runs have left that is no backup", a, [&](Context& c) {
            return tidyUp(c, {a.remote, a.target}, a.remove, a.anyRun, a.follow);
        }));
    janitor->add_option("REMOTE", a.remote, "Name of the remote")->required();
    janitor->add_option("PATH", a.target, "The folder on that remote")->required();
    dryRun = janitor->add_flag("--dry-run", a.dryRun, "Only say it: so it does anyway without --delete");
    janitor->add_flag("--delete", a.remove, "Remove it")->excludes(dryRun);
    janitor->add_flag("--any-run", a.anyRun, "Also of runs that this machine does not know, such as another's");
}

void addOtherCommands(CLI::App& app, Arguments& a) {
    auto& remote = *app.add_subcommand("remote", "Look at destinations");
    remote.require_subcommand(1);
    addCommand(remote, "list", "List the remotes in rclone's configuration", a,
               [](Context& c) { return listRemotes(c); });
    auto* check = addCommand(remote, "check", "Ask a remote what it can do, and write a test object", a,
                             [&](Context& c) { return checkRemote(c, a.name, a.path); });
    check->add_option("REMOTE", a.name, "Name of the remote")->required();
    check->add_option("--path", a.path, "Where to write the test object");

    addCommand(app, "validate", "Say what is wrong with a job without storing it", a,
               [&](Context& c) { return validateJob(c, a.file); })
        ->add_option("FILE", a.file, "The job as JSON; - is standard input")
        ->required();
    addCommand(app, "status", "Show how every job stands", a, [&](Context& c) {
        return showStatus(c, a.check);
    })->add_flag("--check", a.check, "Exit with 1 if any job needs attention");
    addCommand(app, "reload", "Have settings and job files read again", a, [](Context& c) { return reload(c); });
}

/// Errors of usage must come as JSON too, and are found before the option has been parsed.
bool wantsJson(int argc, char** argv) {
    for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
        if (std::string_view(argv[i]) == "--json") return true;
    }
    return false;
}

/// What the library says of --help and --version.
std::string helpOf(const CLI::App& app, const CLI::ParseError& error) {
    std::ostringstream help;
    app.exit(error, help, help);
    return help.str();
}

int reportUsage(const CLI::App& app, const CLI::ParseError& error, Output& out) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
        if (error.get_name() == "CallForVersion" && out.json())
            out.document({{"version", HOLDFAST_VERSION}});
        else
            out.lines(helpOf(app, error));
        return exitWith::done;
    }
    const auto unknown = app.remaining(true);
    const bool noCommand = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !unknown.empty();
    const auto what = noCommand ? fmt::format("There is no command \"{}\".", unknown.front()) : error.what();
    out.error(ServiceError("org.holdfast1.Error.Usage",
                           fmt::format("{}\n'holdfastctl --help' shows what there is.", what), exitWith::usage));
    return exitWith::usage;
}

int runCommand(const Arguments& arguments, Output& out) {
    // Whoever reads our input or cannot be seen is not there to be asked.
    const bool mayAsk = !arguments.noAskPassword && ::isatty(STDIN_FILENO) != 0;
    Client client(mayAsk);
    Context context{client, out};
    try {
        return arguments.command(context);
    } catch (const ServiceError& error) {
        out.error(error);
        return error.exitStatus();
    } catch (const std::exception& error) {
        out.error(error);
        return exitWith::failed;
    }
}

/// What was asked for may be done; whoever was to be told has not been.
int unlessUnheard(int status, Output& out) {
    if (out.writeError() == 0) return status;
    out.hint(fmt::format("holdfastctl: Standard output could not be written: {}.", std::strerror(out.writeError())));
    return status == exitWith::done ? exitWith::failed : status;
}

} // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("Runs and watches backup jobs through Holdfast's service.", "holdfastctl");
    app.set_version_flag("--version", "holdfastctl " HOLDFAST_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_flag("--json", arguments.json, "Print JSON, errors too");
    app.add_flag("--no-ask-password", arguments.noAskPassword, "Never ask for a password");
    addJobCommands(app, arguments);
    addRunCommands(app, arguments);
    addBackupCommands(app, arguments);
    addRetentionCommands(app, arguments);
    addOtherCommands(app, arguments);

    Output out(wantsJson(argc, argv) ? Format::Json : Format::Text);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return unlessUnheard(reportUsage(app, error, out), out);
    }
    return unlessUnheard(runCommand(arguments, out), out);
}
