"""The units themselves: what a daemon-reload leaves of them, what they may write and whom they reach, and how exposed they are."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import backups
import faults
import holdfast
import matrix
import pytest
import test_plain
import test_script
from holdfast import eventually, sh
from test_drill import drill
from test_keep import keeping
from test_plain import tree  # noqa: F401

# What systemd-analyze may say of each kind, at most.
EXPOSED = {"daemon": 0.5, "script": 0.4, "none": 2.4, "flash": 2.4, "restore": 2.5, "verify": 2.1, "drill": 2.5, "prune": 2.4, "probe": 2.1}


def script_of(body):
    test_script.SCRIPTS.mkdir(parents=True, exist_ok=True)
    return test_script.write_script(body)


def unit_of_ours(kind):
    """The name of the one unit of that kind ("run", "probe") that is there."""
    lines = sh("systemctl", "list-units", "--plain", "--no-legend", f"holdfast-{kind}-*.service").stdout.splitlines()
    return lines[0].split()[0] if lines else None


@contextlib.contextmanager
def asked(remote):
    """A question is put to rclone, which waits."""
    asking = subprocess.Popen(["busctl", "call", holdfast.NAME, holdfast.ROOT, holdfast.MANAGER, "ListBackups", "ssa{sv}",
                               remote.name, "backups", "0"], stdout=subprocess.DEVNULL)
    try:
        yield eventually(lambda: unit_of_ours("probe"))
    finally:
        faults.let_go()
        asking.wait()


@contextlib.contextmanager
def going_on(run):
    """Its rclone waits."""
    try:
        eventually(lambda: "sleep" in run.pids(), what=f"rclone of {run.unit}")
        yield run.unit
    finally:
        faults.let_go()
        run.wait()


@contextlib.contextmanager
def begun(kind, remote, repository):
    """A unit of each kind whose rclone is held; its name."""
    if kind == "probe":
        with faults.rclone_held(), asked(remote) as unit:
            yield unit
        return
    if kind in ("restore", "verify", "drill", "prune"):
        job = keeping(remote, repository, last=1) if kind == "prune" else "made"
        if kind != "prune":
            holdfast.create_job(holdfast.flash_job(job, remote, repository))
        id = holdfast.start(job).completes()["Id"]
    else:
        job = "making"
        if kind == "flash":
            holdfast.create_job(holdfast.flash_job(job, remote, repository))
        else:
            test_plain.plain_job(job, remote)
    # (For some, the daemon has rclone asked before.)
    words = ["cat --buffer-size=0"] if kind in ("restore", "verify") else []
    with faults.rclone_held(*words):
        run = {"restore": lambda: backups.restore(remote, id, "/srv/tests/restored-here"),
               "verify": lambda: backups.verify(remote, id, deep=("b", True)),
               "drill": lambda: drill(job),
               "prune": lambda: holdfast.Run(*holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Prune", "(sa{sv})", job, {}))
               }.get(kind, lambda: holdfast.start(job))
        with going_on(run()) as unit:
            yield unit
    sh("rm", "-rf", "/srv/tests/restored-here")


# --- a reload of systemd ---------------------------------------------------------------------------------------------------------

def waits(run):
    return eventually(lambda: "sleep" in run.pids(), what=f"rclone of {run.unit}")


@pytest.fixture
def waiting(remote, repository):
    """A run whose rclone waits, after systemd has been reloaded. Takes changes to the job's document."""
    with contextlib.ExitStack() as stack:
        def begin(**changes):
            holdfast.create_job(holdfast.flash_job("reloaded", remote, repository, **changes))
            stack.enter_context(faults.rclone_held("rcat"))
            run = holdfast.start("reloaded")
            waits(run)
            assert run.unit in faults.reload_systemd()
            return run
        yield begin


def test_killed_worker_is_cleaned_up_after_a_reload(waiting, remote):
    run = waiting()
    faults.kill_worker(run)
    last = run.wait()
    assert (last["Result"], last["Error"]) == ("interrupted", "The worker was killed by SIGKILL."), last
    assert remote.files() == []


def test_run_that_takes_too_long_is_ended_after_a_reload(waiting):
    last = waiting(limits={"runtimeMax": "3s"}).wait()
    assert last["Result"] == "timeout" and "runtimeMax" in last["Error"], last


def test_run_is_cancelled_after_a_reload(waiting, remote):
    run = waiting()
    run.cancel()
    last = run.wait()
    assert (last["Result"], last["Error"]) == ("cancelled", "Cancelled by user 0."), last
    assert remote.files() == []


def test_script_is_as_bound_as_before_after_a_reload(remote):
    script = script_of("echo begun; sleep 60")
    run = holdfast.start(test_script.script_job(remote, script, {"scriptArgs": ["$HOME", "${PATH}", "100%", "a b"]}, preprocessTimeout=5))
    eventually(lambda: test_script.processes(run))
    assert test_script.script_unit(run) in faults.reload_systemd()
    last = run.wait()
    assert last["Result"] == "failed" and "took longer than preprocessTimeout" in last["Error"], last


def test_script_is_killed_after_a_reload(remote):
    run = holdfast.start(test_script.script_job(remote, script_of("sleep 60")))
    eventually(lambda: test_script.processes(run))
    faults.reload_systemd()
    for pid in test_script.processes(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    last = run.wait()
    assert last["Result"] == "failed" and "was killed by SIGKILL" in last["Error"], last


def test_timers_are_the_same_after_a_reload(job):
    path = holdfast.jobs()[job]
    holdfast.call(path, holdfast.JOB, "Update", "(sa{sv})", json.dumps({"schedule": "*-*-* 03:00:00", "drill": {"schedule": "weekly"}}), {})
    timer = f"holdfast-job@{job}.timer"
    eventually(lambda: holdfast.unit(timer, "ActiveState")["ActiveState"] == "active")
    assert timer in faults.reload_systemd()


def test_cleanup_without_a_plan_goes_on_after_a_reload(remote):
    """Its ledger alone is left of a run, whose object lies at the destination."""
    id = "0123456789abcdef0123456789abcdef"
    (remote.folder / "left.tar").write_text("half of it")
    header = {"version": 1, "id": id, "job": "gone", "host": "vm", "rcloneConfig": str(holdfast.RCLONE_CONFIG),
              "outputPath": f"{remote.name}:left.tar", "kind": "streaming", "sourceType": "flash", "maxAttempts": 1, "cleanupOnFailure": True,
              "startedAt": 1}
    entry = {"op": "acquire", "number": 1, "kind": "object", "keep": False, "onCommit": "undo",
             "what": {"object": f"{remote.name}:left.tar"}}
    with faults.rclone_held():
        sh("systemctl", "stop", "holdfast.service")
        (holdfast.STATE / "ledger" / f"{id}.jsonl").write_text(f"{json.dumps(header)}\n{json.dumps(entry)}\n")
        sh("systemctl", "start", "holdfast.service")
        unit = eventually(lambda: unit_of_ours("cleanup"))
        assert unit in faults.reload_systemd()
    eventually(lambda: not holdfast.leftovers())
    assert remote.files() == []


@pytest.mark.parametrize("kind", ["none", "restore", "verify", "drill", "prune", "probe"])
def test_unit_is_the_same_after_a_reload(kind, remote, repository, tree):  # noqa: F811
    with begun(kind, remote, repository) as unit:
        assert unit in faults.reload_systemd()
        print(unit)


# --- exposure -------------------------------------------------------------------------------------------------------------------

def exposure(kind, unit):
    report = sh("systemd-analyze", "security", "--no-pager", unit).stdout
    found = float(re.search(r"Overall exposure level .*: ([0-9.]+)", report)[1])
    print(f"exposure of {kind}: {found}")
    assert found <= EXPOSED[kind], report
    return found


def test_exposure_of_daemon():
    exposure("daemon", "holdfast.service")


def test_exposure_of_script(remote):
    run = holdfast.start(test_script.script_job(remote, script_of("sleep 60")))
    eventually(lambda: test_script.processes(run))
    exposure("script", test_script.script_unit(run))
    run.cancel()
    run.wait()


@pytest.mark.parametrize("kind", ["none", "flash", "restore", "verify", "drill", "prune", "probe"])
def test_exposure(kind, remote, repository, tree):  # noqa: F811
    with begun(kind, remote, repository) as unit:
        exposure(kind, unit)


# --- what programs in a unit can reach --------------------------------------------------------------------------------------------

# Says what it can write and whom it can reach, and is rclone then.
REACHING = """#!/usr/bin/python3
import json, os, socket, subprocess, sys
id = open("/proc/self/cgroup").read().partition("holdfast-run-")[2][:32]
writes = []
for path in json.loads({paths!r}):
    path = path.replace("ID", id)
    try:
        existed = os.path.exists(path)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        writes.append(path.replace(id, "ID") if id else path)
        existed or os.unlink(path)
    except OSError:
        pass
reaches = []
for path in json.loads({sockets!r}):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        reaches.append(path)
    except OSError:
        pass
subprocess.run(["logger", "--tag=reaching", json.dumps([writes, reaches])])
os.execv("/usr/bin/rclone", ["rclone", *sys.argv[1:]])
"""
OWN = ["/etc/holdfast/x", "/etc/holdfast/jobs/x.json", "/etc/holdfast/holdfast.json", "/var/lib/holdfast/x", "/var/lib/holdfast/history.db",
       "/var/lib/holdfast/queue/x", "/var/lib/holdfast/bases/x", "/var/lib/holdfast/ledger/x.jsonl", "/var/lib/holdfast/runs/x",
       "/run/holdfast/x", "/run/holdfast/runs/x", "/run/holdfast/probes/x", "/run/holdfast/runs/ID/plan.json"]
SYSTEM = ["/usr/x", "/boot/x", "/etc/x"]
ELSEWHERE = ["/srv/x", "/home/x", "/root/x", "/opt/x", "/tmp/x", "/x"]
THIS_RUNS = ["/run/holdfast/runs/ID/x", "/var/lib/holdfast/runs/ID/x", "/var/lib/holdfast/cache/x"]
BUS, SYSTEMD, ENGINE = "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/docker.sock"


@pytest.fixture
def engine():
    """Somebody who listens where an engine would."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(ENGINE)
        server.listen(50)
        yield
    os.unlink(ENGINE)


@contextlib.contextmanager
def reaching():
    """What the programs of each unit can write and reach meanwhile: [(writes, reaches)]."""
    found = []
    began = time.time()
    stand_in = REACHING.format(paths=json.dumps(OWN + SYSTEM + ELSEWHERE + THIS_RUNS), sockets=json.dumps([BUS, SYSTEMD, ENGINE]))
    with faults.replaced("rclone", stand_in):
        yield found
    sh("journalctl", "--sync")
    lines = holdfast.journal(f"--since=@{began:.6f}", "--identifier=reaching").splitlines()
    found += [tuple(map(set, json.loads(line))) for line in lines if line]
    assert found


def restored(remote, target, **options):
    [row] = backups.listed(remote)
    return backups.restore(remote, row["Run"], target, **options).completes()


def test_backup_writes_of_holdfasts_own_only_what_is_its_runs(remote, tree, engine):  # noqa: F811
    test_plain.plain_job("reaching", remote, layout="versions")
    with reaching() as found:
        holdfast.start("reaching").completes()
    for writes, reaches in found:
        assert writes == {*ELSEWHERE, *THIS_RUNS} and not reaches, (writes, reaches)


def test_backup_to_a_server_writes_nowhere_else(tree, engine):  # noqa: F811
    remote = matrix.Served()
    try:
        test_plain.plain_job("reaching", remote, layout="versions")
        with reaching() as found:
            holdfast.start("reaching").completes()
    finally:
        remote.close()
    for writes, reaches in found:
        assert writes == {*THIS_RUNS} and not reaches, (writes, reaches)


def test_only_the_run_of_a_script_reaches_systemd(remote, engine):
    job = test_script.script_job(remote, script_of("echo x >$HOLDFAST_OUTPUT_DIR/x"))
    with reaching() as found:
        holdfast.start(job).completes()
    for writes, reaches in found:
        assert not writes & {*OWN, *SYSTEM} and reaches == {BUS, SYSTEMD}, (writes, reaches)


def test_restore_verification_and_drill_write_nothing_but_where_they_restore(remote, job, engine):
    id = holdfast.start(job).completes()["Id"]
    with reaching() as found:
        backups.verify(remote, id, deep=("b", True)).completes()
        drill(job).completes()
        backups.listed(remote)
    for writes, reaches in found:
        assert writes <= {*THIS_RUNS, "/run/holdfast/runs/ID/x"} and not reaches, (writes, reaches)
    pathlib.Path("/opt/reached").mkdir()
    with reaching() as found:
        backups.restore(remote, id, "/opt/reached/restored").completes()
        shutil.rmtree("/opt/reached")
    for writes, reaches in found:
        assert writes <= {*THIS_RUNS, "/run/holdfast/runs/ID/x"} and not reaches, (writes, reaches)


def test_configuration_of_rclone_is_writable_only_where_a_token_may_be_refreshed(remote, tree):  # noqa: F811
    test_plain.plain_job("reaching", remote, layout="versions")
    with holdfast.RCLONE_CONFIG.open("a") as file:
        file.write('[cloud]\ntype = drive\ntoken = {"access_token":"x"}\n')
    with reaching() as found:
        holdfast.start("reaching").completes()
    for writes, _ in found:
        # (Who can write rclone's configuration needs no settings.)
        assert writes & {*OWN, *SYSTEM} == {"/etc/holdfast/x", "/etc/holdfast/holdfast.json"}, writes


# --- where the system is ----------------------------------------------------------------------------------------------------------

@pytest.fixture
def repository_in(request):
    """Makes the folder a git repository for the length of a test."""
    folder = pathlib.Path(request.param)
    kept = {path.name for path in folder.iterdir()}
    yield folder
    for path in folder.iterdir():
        if path.name not in kept:
            sh("rm", "-rf", path)


@pytest.mark.parametrize("repository_in, config", [("/boot", {}), ("/boot", None), ("/etc", {"gitPath": "/etc/.git"})], indirect=["repository_in"],
                         ids=["boot", "boot-killed", "etc"])
def test_repository_in_a_folder_of_the_system(repository_in, config, remote):
    (repository_in / "of-this-test").write_text("found again")
    holdfast.create_job({"name": "system", "remoteName": remote.name, "destinationPath": "backups", "preprocessType": "flash",
                         "preprocessConfig": {"flash": config or {}}})
    if config is None:
        with faults.rclone_held("rcat"):
            run = holdfast.start("system")
            waits(run)
            faults.reload_systemd()
            faults.kill_worker(run)
            last = run.wait()
        assert last["Result"] == "interrupted" and "Not cleaned up" not in last["Error"], last
        assert not list((repository_in / ".git").rglob("*.lock"))
    holdfast.start("system").completes()
    restored(remote, "/srv/tests/restored-system")
    [git] = pathlib.Path("/srv/tests/restored-system").rglob(".git")
    assert holdfast.git(git.parent, "show", "HEAD:of-this-test") == "found again"
    sh("rm", "-rf", "/srv/tests/restored-system")


@pytest.mark.parametrize("target", ["/restored-at-root", "/etc/restored", "/boot/restored", "/home/restored", "/usr/local/share/restored"])
def test_restore_to_a_folder_of_the_system(target, remote, job):
    holdfast.start(job).completes()
    restored(remote, target)
    try:
        assert list(pathlib.Path(target).rglob(".git/HEAD"))
        if target == "/restored-at-root":
            restored(remote, target, force=("b", True))     # which sets the old one aside, beside it
            assert len(list(pathlib.Path("/").glob("restored-at-root*"))) == 2
    finally:
        for path in pathlib.Path(target).parent.glob("restored*"):
            sh("rm", "-rf", path)


# --- what a run can do without ----------------------------------------------------------------------------------------------------

def test_progress_that_cannot_be_written_ends_no_backup(remote, repository):
    holdfast.create_job(holdfast.flash_job("unseen", remote, repository, limits={"bandwidth": "64K"}))
    run = holdfast.start("unseen")
    run.moves()
    used = sh("df", "--output=used", "--block-size=1", "/run").stdout.split()[1]
    sh("mount", "-o", f"remount,size={used}", "/run")
    try:
        with contextlib.suppress(OSError), open("/run/filler", "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        with pytest.raises(OSError):
            (holdfast.RUNTIME / "runs" / run.id / "x").write_bytes(bytes(8192))
        time.sleep(1.5)
    finally:
        sh("mount", "-o", "remount,size=20%", "/run")
        pathlib.Path("/run/filler").unlink()
    run.completes()
    assert sh("journalctl", "--output=cat", f"HOLDFAST_RUN={run.id}").stdout.count("its progress cannot be written") == 1
