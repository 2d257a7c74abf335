"""The API on the bus: what it shows, who may do what, what it refuses, and in which order things come."""
import json
import pathlib
import re
import xml.etree.ElementTree as ET

import pytest
from gi.repository import Gio, GLib

import holdfast
from holdfast import JOB, MANAGER, NAME, ROOT, RUN, call, call_as, sh

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
PROMPT = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"
UNKNOWN_ID = "0123456789abcdef0123456789abcdef"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"


def refused(*arguments, **options):
    """Calls and returns the error that must come."""
    with pytest.raises(holdfast.BusError) as caught:
        call(*arguments, **options)
    return caught.value


@pytest.fixture
def shared(remote, repository):
    """A job that alice may run, read and cancel her own runs of."""
    name = f"shared-{remote.name}"
    holdfast.create_job(holdfast.flash_job(name, remote, repository))
    return name


@pytest.fixture
def slow(remote):
    """Builds a job whose upload takes many seconds."""
    def build(name):
        folder = remote.folder.with_name(f"repository-of-{remote.name}") # not below /tmp, which a run has of its own
        repository = holdfast.make_repository(folder, commits=1, kilobytes=8 * 1024)
        holdfast.create_job(holdfast.flash_job(name, remote, repository, limits={"bandwidth": "256K"}))
        return name
    return build


# --- what it shows --------------------------------------------------------------------------------------------------------

def members(interface):
    """Members of an interface as a set of tuples, comparable between the XML and what is introspected."""
    found = set()
    for member in interface:
        if member.tag in ("method", "signal"):
            signature = tuple((a.get("name"), a.get("type"), a.get("direction", "out")) for a in member.iter("arg"))
            found.add((member.tag, member.get("name"), signature))
        elif member.tag == "property":
            notes = {a.get("name"): a.get("value") for a in member.iter("annotation")}
            changes = notes.get("org.freedesktop.DBus.Property.EmitsChangedSignal", "true")
            found.add((member.tag, member.get("name"), member.get("type"), member.get("access"), changes))
    return found


def test_introspection_is_the_xml(job):
    path = "/usr/share/dbus-1/interfaces/org.holdfast1.xml"
    declared = {i.get("name"): members(i) for i in ET.parse(path).getroot().iter("interface")}
    run = holdfast.start(job)
    for path, interface in ((ROOT, MANAGER), (holdfast.jobs()[job], JOB), (run.path, RUN)):
        shown = ET.fromstring(call(path, "org.freedesktop.DBus.Introspectable", "Introspect"))
        assert members(shown.find(f"interface[@name='{interface}']")) == declared[interface]
    run.wait()


def test_managed_objects_are_jobs_and_runs(job):
    run = holdfast.start(job)
    run.wait()
    objects = call(ROOT, OBJECT_MANAGER, "GetManagedObjects")
    assert objects[holdfast.jobs()[job]][JOB] == holdfast.properties(holdfast.jobs()[job], JOB)
    assert objects[run.path][RUN] == run.all()


def test_object_paths_are_escaped(remote, repository):
    path = holdfast.create_job(holdfast.flash_job("a-b_c.1", remote, repository))
    assert path == "/org/holdfast1/job/a_2db_5fc_2e1"
    assert call(ROOT, MANAGER, "GetJob", "(sa{sv})", "a-b_c.1", {}) == path


def test_jobs_are_listed_below_their_path_and_have_no_other(remote, repository):
    holdfast.create_job(holdfast.flash_job("listed", remote, repository))
    shown = ET.fromstring(call(ROOT + "/job", "org.freedesktop.DBus.Introspectable", "Introspect"))
    below = {node.get("name") for node in shown.findall("node")}
    assert {f"{ROOT}/job/{node}" for node in below} == set(holdfast.jobs().values())
    for other in ("/job/_6cisted", "/job/listed/listed", "/job/unlisted"):
        error = refused(ROOT + other, "org.freedesktop.DBus.Properties", "GetAll", "(s)", JOB)
        assert error.name.startswith("org.freedesktop.DBus.Error.Unknown"), other


def test_job_schema_is_the_installed_one():
    shown = json.loads(holdfast.properties(ROOT, MANAGER)["JobSchema"])
    assert shown == json.loads(pathlib.Path("/usr/share/holdfast/job.schema.json").read_text())


def test_job_remembers_its_last_run(job):
    path = holdfast.jobs()[job]
    assert holdfast.properties(path, JOB)["LastRunId"] == ""
    run = holdfast.start(job)
    last = run.wait()
    shown = holdfast.eventually(lambda: (p := holdfast.properties(path, JOB))["LastRunId"] and p)
    assert (shown["LastRunId"], shown["LastRunResult"], shown["LastRunAt"]) == (run.id, "done", last["StartedAt"])
    sh("systemctl", "restart", "holdfast.service")
    assert holdfast.properties(path, JOB)["LastRunId"] == run.id


def test_text_that_is_no_text_reaches_nobody(remote, repository):
    """A noncharacter in one job, which the bus may refuse to carry, must not make the whole tree unreadable."""
    path = holdfast.create_job(holdfast.flash_job("odd", remote, repository, destinationPath="odd/\ufdd0"))
    assert path in call(ROOT, OBJECT_MANAGER, "GetManagedObjects")
    assert holdfast.properties(path, JOB)["Destination"].startswith(f"{remote.name}:odd/")
    with pytest.raises(holdfast.BusError) as refusal:
        holdfast.create_job(holdfast.flash_job("control", remote, repository, destinationPath="odd/\u0001"))
    assert refusal.value.name == "org.holdfast1.Error.InvalidConfig"


# --- signals --------------------------------------------------------------------------------------------------------------

def test_objects_come_and_go_with_signals(remote, repository):
    with holdfast.Signals() as signals:
        path = holdfast.create_job(holdfast.flash_job("fleeting", remote, repository))
        call(path, JOB, "Remove", "(a{sv})", {})
        holdfast.eventually(lambda: signals.named("InterfacesRemoved"))
    added = [arguments for *_, arguments in signals.named("InterfacesAdded")]
    assert added[0][0] == path and added[0][1][JOB]["Name"] == "fleeting"
    assert signals.named("InterfacesRemoved")[0][3][0] == path
    error = refused(path, "org.freedesktop.DBus.Properties", "GetAll", "(s)", JOB)
    assert error.name.startswith("org.freedesktop.DBus.Error.Unknown")


def test_a_job_can_be_made_again_at_once(remote, repository):
    for _ in range(5):
        path = holdfast.create_job(holdfast.flash_job("again", remote, repository))
        call(path, JOB, "Remove", "(a{sv})", {})
    assert "again" not in holdfast.jobs()


def test_update_tells_what_changed(job):
    path = holdfast.jobs()[job]
    with holdfast.Signals() as signals:
        call(path, JOB, "Update", "(sa{sv})", '{"enabled": false}', {})
        holdfast.eventually(lambda: signals.named("PropertiesChanged"))
    (where, _, _, (interface, changed, invalidated)), = [s for s in signals.named("PropertiesChanged") if s[0] == path]
    assert (where, interface, changed, invalidated) == (path, JOB, {"Enabled": False}, [])


def test_reply_comes_before_the_signals_it_causes(job):
    """As the messages lie on the wire: a client's library may deliver them in another order."""
    wire = []
    bus = Gio.DBusConnection.new_for_address_sync(
        Gio.dbus_address_get_for_bus_sync(Gio.BusType.SYSTEM),
        Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
    bus.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, lambda *_: None)
    bus.add_filter(lambda _bus, message, incoming: wire.append(message) or message if incoming else message)

    def about(id):
        """What was said of a run: types of the messages."""
        return [m.get_message_type() for m in list(wire)
                if id in (m.get_path() or "") or (m.get_body() and id in m.get_body().print_(False))]
    for _ in range(3):
        id, _path = bus.call_sync(NAME, ROOT, MANAGER, "StartJob", GLib.Variant("(sa{sv})", (job, {})), None, 0, 10000, None).unpack()
        holdfast.eventually(lambda: Gio.DBusMessageType.SIGNAL in about(id))
        assert about(id)[0] == Gio.DBusMessageType.METHOD_RETURN
        holdfast.Run(id).wait()
    bus.close_sync()


def test_run_is_followed_by_signals(slow):
    name = slow("followed")
    with holdfast.Signals() as signals:
        run = holdfast.start(name)
        run.moves()
        holdfast.eventually(lambda: len(signals.named("Progress")) >= 4)
        run.cancel()
        run.wait()
        holdfast.eventually(lambda: signals.named("RunFinished"))
    assert [s[3] for s in signals.named("RunStarted")] == [(run.id, run.path, name)]
    assert [s[3] for s in signals.named("RunFinished")] == [(run.id, run.path, name, "cancelled")]
    done = [arguments[0] for path, _, _, arguments in signals.named("Progress") if path == run.path]
    assert done == sorted(done)
    states = [changed["State"] for path, _, _, (_, changed, _) in signals.named("PropertiesChanged")
              if path == run.path and "State" in changed]
    assert states[-1] == "cancelled" and "running" in states


def test_progress_is_not_a_flood(slow):
    name = slow("calm")
    run = holdfast.start(name)
    run.moves()
    with holdfast.Signals() as signals:
        try:
            holdfast.eventually(lambda: False, 4)
        except AssertionError:
            pass
    assert 2 <= len(signals.named("Progress")) <= 9
    run.cancel()
    run.wait()


def test_idle_service_sleeps():
    pid = holdfast.unit("holdfast.service", "MainPID")["MainPID"]

    def switches():
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    before = switches()
    try:
        holdfast.eventually(lambda: False, 3)
    except AssertionError:
        pass
    assert switches() - before <= 2


# --- who may do what ----------------------------------------------------------------------------------------------------------

def test_anyone_may_read_the_status(job):
    for method, arguments in (("ListJobs", ["{}"]), ("GetJob", [job, "{}"]), ("ListRuns", ["10", "0", "{}"])):
        assert call_as("bob", ROOT, MANAGER, method, *arguments)[0] is None
    assert call_as("bob", ROOT, OBJECT_MANAGER, "GetManagedObjects")[0] is None


def test_status_tells_nothing_of_the_document(remote, repository):
    holdfast.create_job(holdfast.flash_job("secretive", remote, repository, rcloneOptions={"transfers": 1}))
    assert "rcloneOptions" not in call_as("bob", ROOT, OBJECT_MANAGER, "GetManagedObjects")[1]


def test_bob_may_do_nothing(shared):
    path = holdfast.jobs()[shared]
    document = json.dumps({"name": "bobs", "remoteName": "x", "sourcePath": "/etc"})
    attempts = ((ROOT, MANAGER, "StartJob", shared, "{}"), (ROOT, MANAGER, "Reload", "{}"), (ROOT, MANAGER, "ListRemotes", "{}"),
                (ROOT, MANAGER, "CheckRemote", "x", "{}"), (ROOT, MANAGER, "CreateJob", document, "{}"), (path, JOB, "Start", "{}"),
                (path, JOB, "GetConfig", "{}"), (path, JOB, "Update", '{"enabled": false}', "{}"), (path, JOB, "Remove", "{}"))
    for attempt in attempts:
        assert call_as("bob", *attempt)[0] in (DENIED, PROMPT), attempt
    assert list(holdfast.jobs()) == [shared]
    assert call(ROOT, MANAGER, "ListRuns", "(uua{sv})", 10, 0, {"job": GLib.Variant("s", shared)}) == []


def test_a_rule_lets_alice_run_one_job_and_no_other(shared, remote, repository):
    holdfast.create_job(holdfast.flash_job("private", remote, repository))
    error, output = call_as("alice", ROOT, MANAGER, "StartJob", shared, "{}")
    assert error is None
    run = holdfast.Run(re.search("'([0-9a-f]{32})'", output)[1])
    assert run.wait()["StartedByUid"] == int(sh("id", "-u", "alice").stdout)
    assert call_as("alice", ROOT, MANAGER, "StartJob", "private", "{}")[0] in (DENIED, PROMPT)
    assert call_as("alice", holdfast.jobs()[shared], JOB, "GetConfig", "{}")[0] is None
    assert call_as("alice", holdfast.jobs()["private"], JOB, "GetConfig", "{}")[0] in (DENIED, PROMPT)


def test_alice_may_cancel_her_own_run_only(slow):
    name = slow("shared-slow")
    run = holdfast.start(name)
    assert call_as("alice", run.path, RUN, "Cancel", "{}")[0] in (DENIED, PROMPT)
    assert call_as("alice", ROOT, MANAGER, "StopJob", name, "{}")[0] in (DENIED, PROMPT)
    assert run["State"] not in holdfast.OVER
    run.cancel()
    run.wait()
    own = holdfast.Run(re.search("'([0-9a-f]{32})'", call_as("alice", ROOT, MANAGER, "StartJob", name, "{}")[1])[1])
    own.reaches(State="running")
    assert call_as("alice", own.path, RUN, "Cancel", "{}")[0] is None
    assert own.wait()["Result"] == "cancelled"


def test_who_may_run_a_job_may_not_write_it(shared):
    for patch in ('{"destinationPath": "elsewhere"}', '{"preprocessType": "script"}'):
        assert call_as("alice", holdfast.jobs()[shared], JOB, "Update", patch, "{}")[0] is not None
    assert json.loads(call(holdfast.jobs()[shared], JOB, "GetConfig", "(a{sv})", {}))["destinationPath"] == "backups"


def test_validation_tells_bob_of_the_schema_only(repository):
    """Whether a remote exists is for those who manage jobs."""
    document = json.dumps({"name": "x", "remoteName": "nowhere", "preprocessType": "flash",
                           "preprocessConfig": {"flash": {"gitPath": f"{repository}/.git"}}})
    assert call_as("bob", ROOT, MANAGER, "ValidateJob", document, "{}") == (None, "(@a(sss) [],)")
    problems = call(ROOT, MANAGER, "ValidateJob", "(sa{sv})", document, {})
    assert "/remoteName" in [pointer for pointer, _, _ in problems]
    error, output = call_as("bob", ROOT, MANAGER, "ValidateJob", '{"name": "x/y", "bogus": 1}', "{}")
    assert error is None and "/name" in output and "/bogus" in output


@pytest.mark.parametrize("allow, why", [("no", "the call did not allow"), ("yes", "no agent is there")])
def test_a_prompt_that_cannot_be_shown_is_explained(shared, allow, why):
    done = sh("busctl", f"--allow-interactive-authorization={allow}", "call", NAME, ROOT, MANAGER, "StartJob", "sa{sv}", shared, "0",
              user="bob", check=False)
    assert done.returncode != 0 and why in done.stderr


# --- what it refuses ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, signature, arguments", [
    ("GetJob", "(sa{sv})", ["x"]), ("ListJobs", "(a{sv})", []), ("StartJob", "(sa{sv})", ["x"]), ("StopJob", "(sa{sv})", ["x"]),
    ("GetRun", "(sa{sv})", [UNKNOWN_ID]), ("ListRuns", "(uua{sv})", [1, 0]), ("Reload", "(a{sv})", []),
    ("ListRemotes", "(a{sv})", []), ("CheckRemote", "(sa{sv})", ["x"]), ("CreateJob", "(sa{sv})", ["{}"]),
    ("ValidateJob", "(sa{sv})", ["{}"])])
def test_unknown_options_are_named(method, signature, arguments):
    error = refused(ROOT, MANAGER, method, signature, *arguments, {"frobnicate": GLib.Variant("b", True)})
    assert error.name == INVALID_ARGS and "frobnicate" in error.message


def test_options_have_types():
    error = refused(ROOT, MANAGER, "ListRuns", "(uua{sv})", 1, 0, {"since": GLib.Variant("s", "yesterday")})
    assert error.name == INVALID_ARGS and '"since"' in error.message
    error = refused(ROOT, MANAGER, "CheckRemote", "(sa{sv})", "x", {"path": GLib.Variant("s", "../../etc")})
    assert error.name == INVALID_ARGS and '"path"' in error.message


@pytest.mark.parametrize("method, argument, name", [
    ("GetJob", "nosuch", "NoSuchJob"), ("StartJob", "nosuch", "NoSuchJob"), ("StopJob", "nosuch", "NoSuchJob"),
    ("GetRun", UNKNOWN_ID, "NoSuchRun"), ("CheckRemote", "nosuch", "NoSuchRemote"), ("CheckRemote", ":local:/etc", "NoSuchRemote"),
    ("CreateJob", "not JSON", "InvalidConfig"), ("CreateJob", "{}", "InvalidConfig"), ("CreateJob", "[" * 60000, "InvalidConfig"),
    ("CreateJob", '{"name": "' + "x" * 5_000_000 + '"}', "InvalidConfig")], ids=lambda value: value[:20])
def test_errors_have_names(remote, method, argument, name):
    error = refused(ROOT, MANAGER, method, "(sa{sv})", argument, {})
    assert error.name == f"org.holdfast1.Error.{name}"
    assert len(error.message) < 20_000


def test_call_that_is_too_large_is_refused(remote):
    error = refused(ROOT, MANAGER, "CreateJob", "(sa{sv})", '{"name": "' + "x" * 10_000_000 + '"}', {})
    assert error.name == "org.freedesktop.DBus.Error.LimitsExceeded" and "too large" in error.message


@pytest.mark.parametrize("id", ["", "x", "../../../etc/passwd", UNKNOWN_ID.upper(), UNKNOWN_ID + "\n"])
def test_ids_are_checked(id):
    assert refused(ROOT, MANAGER, "GetRun", "(sa{sv})", id, {}).name == INVALID_ARGS


def test_config_errors_come_all_at_once():
    message = refused(ROOT, MANAGER, "CreateJob", "(sa{sv})", '{"name": "a b", "bogus": 1, "enabled": "yes"}', {}).message
    for pointer in ("name", "bogus", "enabled"):
        assert pointer in message


def test_a_name_is_taken_once(remote, repository):
    document = holdfast.flash_job("twice", remote, repository)
    holdfast.create_job(document)
    assert refused(ROOT, MANAGER, "CreateJob", "(sa{sv})", json.dumps(document), {}).name == "org.holdfast1.Error.JobExists"


def test_a_disabled_job_is_started_by_hand_only(job):
    path = holdfast.jobs()[job]
    call(path, JOB, "Update", "(sa{sv})", '{"enabled": false}', {})
    scheduled = {"scheduled": GLib.Variant("b", True)}
    assert refused(ROOT, MANAGER, "StartJob", "(sa{sv})", job, scheduled).name == "org.holdfast1.Error.Disabled"
    holdfast.Run(*call(path, JOB, "Start", "(a{sv})", {})).completes()


def test_a_job_whose_remote_is_gone_can_still_be_disabled(job):
    holdfast.RCLONE_CONFIG.unlink()
    path = holdfast.jobs()[job]
    assert refused(path, JOB, "Update", "(sa{sv})", '{"destinationPath": "x"}', {}).name == "org.holdfast1.Error.InvalidConfig"
    call(path, JOB, "Update", "(sa{sv})", '{"enabled": false}', {})
    assert holdfast.properties(path, JOB)["Enabled"] is False


def test_one_run_of_a_job_at_a_time(slow):
    """A second one waits, a third is refused; StopJob ends both."""
    name = slow("single")
    first = holdfast.start(name)
    first.reaches(State="running")
    second = holdfast.start(name)
    assert second["State"] == "queued" and second["BlockedOn"] != ""
    assert refused(ROOT, MANAGER, "StartJob", "(sa{sv})", name, {}).name == "org.holdfast1.Error.AlreadyQueued"
    shown = holdfast.properties(ROOT, MANAGER)
    assert (shown["ActiveRuns"], shown["QueuedRuns"]) == (1, 1)
    stopped, errors = call(ROOT, MANAGER, "StopJob", "(sa{sv})", name, {})
    assert (sorted(stopped), errors) == (sorted([first.id, second.id]), [])
    assert [first.wait()["Result"], second.wait()["Result"]] == ["cancelled", "cancelled"]
    assert refused(first.path, RUN, "Cancel", "(a{sv})", {}).name == "org.holdfast1.Error.NotCancelable"


# --- remotes ----------------------------------------------------------------------------------------------------------------------

def test_remotes_are_listed_and_checked(remote):
    assert call(ROOT, MANAGER, "ListRemotes", "(a{sv})", {}) == [(remote.name, "alias")]
    report = call(ROOT, MANAGER, "CheckRemote", "(sa{sv})", remote.name, {"path": GLib.Variant("s", "some/where")})
    assert set(report) == {"type", "streams", "hashes", "total", "used", "free", "writable", "deletable", "notice", "error"}
    assert report["streams"] and report["writable"] and report["deletable"] and report["free"] > 0
    assert (report["notice"], report["error"]) == ("", "")
    assert remote.files() == []


def test_checks_are_limited(remote):
    """Each is a unit: a caller gets some at a time, and the rest are refused, not queued without end."""
    outcomes = []

    def note(bus, result):
        try:
            bus.call_finish(result)
            outcomes.append("done")
        except GLib.Error as error:
            outcomes.append(Gio.DBusError.get_remote_error(error))
    for _ in range(20):
        holdfast.connection().call(NAME, ROOT, MANAGER, "CheckRemote", GLib.Variant("(sa{sv})", (remote.name, {})), None, 0, 30000, None, note)
    holdfast.eventually(lambda: len(outcomes) == 20, 40)
    assert set(outcomes) == {"done", "org.freedesktop.DBus.Error.LimitsExceeded"}


# --- jobs by hand, and the list of runs -----------------------------------------------------------------------------------------

def test_reload_reads_files_and_reports_the_broken_one(remote, repository):
    folder = pathlib.Path("/etc/holdfast/jobs")
    (folder / "by-hand.json").write_text(json.dumps(holdfast.flash_job("by-hand", remote, repository)))
    (folder / "broken.json").write_text("{")
    try:
        call(ROOT, MANAGER, "Reload", "(a{sv})", {})
        assert "by-hand" in holdfast.jobs()
        assert [file for file, _ in holdfast.properties(ROOT, MANAGER)["BrokenJobs"]] == ["broken.json"]
    finally:
        (folder / "broken.json").unlink()
    sh("systemctl", "kill", "--signal=HUP", "holdfast.service")
    holdfast.eventually(lambda: holdfast.properties(ROOT, MANAGER)["BrokenJobs"] == [])


def test_broken_settings_change_nothing():
    settings = pathlib.Path("/etc/holdfast/holdfast.json")
    before = settings.read_bytes() if settings.exists() else None
    limit = holdfast.properties(ROOT, MANAGER)["MaxConcurrentStreaming"]
    try:
        settings.write_text('{"maxConcurrentStreaming": "many"}')
        assert "maxConcurrentStreaming" in refused(ROOT, MANAGER, "Reload", "(a{sv})", {}).message
        assert holdfast.properties(ROOT, MANAGER)["MaxConcurrentStreaming"] == limit
    finally:
        settings.unlink()
        if before is not None:
            settings.write_bytes(before)
    call(ROOT, MANAGER, "Reload", "(a{sv})", {})


def test_settings_in_force_are_properties():
    manager = holdfast.properties(ROOT, MANAGER)
    assert (manager["QueueTimeoutUSec"], manager["MaxAttempts"], manager["MaxQueuedRuns"]) == (300_000_000, 3, 1000)
    assert (manager["RetryDelayUSec"], manager["RetryDelayMaxUSec"], manager["KillDelayUSec"]) == (1_000_000, 30_000_000, 10_000_000)
    assert (manager["StallWarningUSec"], manager["StallTimeoutUSec"]) == (30_000_000, 600_000_000)
    settings = holdfast.CONFIG / "holdfast.json"
    settings.write_text('{"maxAttempts": 5, "historyMaxRuns": 70, "historyMaxAge": "30d"}')
    try:
        with holdfast.Signals() as signals:
            holdfast.call(ROOT, MANAGER, "Reload", "(a{sv})", {})
            changed = holdfast.eventually(lambda: [s[3] for s in signals.named("PropertiesChanged") if s[0] == ROOT])
        names = set(changed[0][1]) | set(changed[0][2])
        assert names == {"MaxAttempts", "HistoryMaxRuns", "HistoryMaxAgeUSec"}
        manager = holdfast.properties(ROOT, MANAGER)
        assert (manager["MaxAttempts"], manager["HistoryMaxRuns"], manager["HistoryMaxAgeUSec"]) == (5, 70, 30 * 86400 * 1_000_000)
    finally:
        settings.unlink()
        holdfast.call(ROOT, MANAGER, "Reload", "(a{sv})", {})


def test_runs_are_listed_newest_first_and_once(job):
    runs = []
    for _ in range(3):
        runs.insert(0, holdfast.start(job))
        runs[0].wait()
    of_job = {"job": GLib.Variant("s", job)}
    listed = [run["Id"] for run in call(ROOT, MANAGER, "ListRuns", "(uua{sv})", 0, 0, of_job)]
    assert listed == [run.id for run in runs]
    assert [run["Id"] for run in call(ROOT, MANAGER, "ListRuns", "(uua{sv})", 1, 1, of_job)] == [runs[1].id]
    until = of_job | {"until": GLib.Variant("t", runs[1]["QueuedAt"]), "result": GLib.Variant("s", "done")}
    assert [run["Id"] for run in call(ROOT, MANAGER, "ListRuns", "(uua{sv})", 9, 0, until)] == [run.id for run in runs[1:]]
