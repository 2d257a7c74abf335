"""The daemon is killed, restarted, and loses its bus; what it had taken on goes on."""
import json
import os
import signal
import threading
import time

import faults
import holdfast
import pytest
from holdfast import eventually, sh, unit

SETTINGS = holdfast.CONFIG / "holdfast.json"
HISTORY = holdfast.STATE / "history.db"


def settings(**values):
    SETTINGS.write_text(json.dumps(values))
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


@pytest.fixture(autouse=True)
def default_settings():
    yield
    if SETTINGS.exists():
        SETTINGS.unlink()
        sh("systemctl", "restart", "holdfast.service")


@pytest.fixture
def jobs(remote, repository):
    def make(*names, **changes):
        for name in names:
            holdfast.create_job(holdfast.flash_job(name, remote, repository, destinationPath=name, **changes))
        return names
    return make


def kill_daemon():
    """SIGKILL; returns when systemd has started another."""
    before = unit("holdfast.service", "MainPID")["MainPID"]
    os.kill(int(before), signal.SIGKILL)
    eventually(lambda: unit("holdfast.service", "MainPID", "SubState") not in
               ({"MainPID": before, "SubState": "running"},) and unit("holdfast.service", "SubState")["SubState"] == "running",
               what="another daemon")


# --- admission, on the bus ------------------------------------------------------------------------------------------------------

def test_admission(jobs):
    settings(maxConcurrentStreaming=1, maxQueuedRuns=2, queueTimeout="6s")
    jobs("a", "b", "c", "d")
    with faults.rclone_held("rcat", "--ignore-checksum"):
        first = holdfast.start("a")
        first.reaches(State="running")
        second = holdfast.start("a")
        with pytest.raises(holdfast.BusError) as third:
            holdfast.start("a")
        assert third.value.name == "org.holdfast1.Error.AlreadyQueued"
        b = holdfast.start("b")
        with pytest.raises(holdfast.BusError) as full:
            holdfast.start("c")
        assert full.value.name == "org.holdfast1.Error.QueueFull"
        assert second["BlockedOn"] == "1st in the queue; waiting for the run of the same job to finish"
        assert b["BlockedOn"] == "2nd in the queue; waiting for a free stream slot (1 of 1 in use)"
        for late in (second, b):
            last = late.wait()
            assert (last["State"], last["Result"]) == ("failed", "timeout") and last["Error"].startswith("QueueTimeout: "), last
            waited = last["FinishedAt"] - last["QueuedAt"]
            assert 5.5e6 < waited < 9e6, waited
    assert first.wait()["Result"] == "done"


def test_three_streams_at_once(jobs):
    names = jobs("a", "b", "c", "d")
    with faults.rclone_held("rcat", "--ignore-checksum"):
        runs = [holdfast.start(name) for name in names]
        for run in runs[:3]:
            run.reaches(State="running")
        time.sleep(1)
        assert runs[3]["State"] == "queued" and "3 of 3 in use" in runs[3]["BlockedOn"]
        manager = holdfast.properties(holdfast.ROOT, holdfast.MANAGER)
        assert (manager["ActiveRuns"], manager["QueuedRuns"], manager["MaxConcurrentStreaming"]) == (3, 1, 3)
    assert [run.wait()["Result"] for run in runs] == ["done"] * 4


# --- the daemon dies ----------------------------------------------------------------------------------------------------------------

def test_queue_is_restored_in_order(jobs):
    settings(maxConcurrentStreaming=1)
    names = jobs("z", "m", "b", "a", "k")
    with faults.rclone_held("rcat", "--ignore-checksum"):
        runs = [holdfast.start(name) for name in names]
        runs[0].reaches(State="running")
        for _ in range(3):
            kill_daemon()
            assert runs[0]["State"] == "running", "the run that lives is found again"
            for place, run in zip(("1st", "2nd", "3rd", "4th"), runs[1:]):
                assert run["State"] == "queued" and run["BlockedOn"].startswith(place), run.all()
    ends = [run.wait() for run in runs]
    assert {end["Result"] for end in ends} == {"done"}
    started = [end["StartedAt"] for end in ends]
    assert started == sorted(started), "first come, first served, across three deaths"


def test_run_is_followed_across_deaths(remote):
    repository = holdfast.make_repository("/srv/tests/followed", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("long", remote, repository, limits={"bandwidth": "1M"}))
    run = holdfast.start("long")
    done = 0
    for _ in range(3):
        run.moves(done + 1)
        kill_daemon()
        now = run.all()
        assert now["State"] == "running" and now["BytesDone"] >= done, now
        done = now["BytesDone"]
    last = run.wait()
    assert last["Result"] == "done" and last["Attempt"] == 1
    assert len(remote.manifests()) == 1
    sh("rm", "-r", repository)


def test_run_that_ends_while_nobody_watches(jobs, remote):
    jobs("a")
    run = holdfast.start("a")
    run.reaches(State="running")
    sh("systemctl", "stop", "holdfast.service")
    eventually(lambda: remote.manifests() and unit(run.unit, "LoadState")["LoadState"] == "not-found")
    assert run.all()["Result"] == "done", "the first call after activation has a true answer"


@pytest.mark.parametrize("delay", [0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2])
def test_killed_while_a_run_is_asked_for(jobs, remote, delay):
    """Whenever it dies: a start that was answered is a run that ends well, and no start leaves half a run behind."""
    jobs("a")
    pid = int(unit("holdfast.service", "MainPID")["MainPID"])
    killer = threading.Timer(delay, os.kill, (pid, signal.SIGKILL))
    run = None
    killer.start()
    try:
        run = holdfast.start("a")
    except holdfast.BusError as error:
        assert error.name == "org.freedesktop.DBus.Error.NoReply", error
    killer.join()
    eventually(lambda: unit("holdfast.service", "MainPID", "SubState") not in ({"MainPID": str(pid), "SubState": "running"},)
               and unit("holdfast.service", "SubState")["SubState"] == "running")
    if run:
        assert run.wait()["Result"] == "done"
    since = {"job": holdfast.GLib.Variant("s", "a")}
    eventually(lambda: all(r["State"] in holdfast.OVER for r in
                           holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 9, 0, since)))
    last = holdfast.start("a").wait()
    assert last["Result"] == "done", last


def test_name_is_taken_when_all_is_loaded(jobs):
    jobs(*(f"job-{number}" for number in range(20)), schedule="*-*-* 03:00:00")
    for _ in range(5):
        sh("systemctl", "kill", "--signal=KILL", "holdfast.service")
        sh("systemctl", "reset-failed", "holdfast.service", check=False)
        first = eventually(lambda: objects_or_none())
        found = [interfaces[holdfast.JOB] for interfaces in first.values() if holdfast.JOB in interfaces]
        assert len(found) == 20 and all(job["NextRunAt"] > 0 for job in found), "nobody ever sees half of it"


def objects_or_none():
    try:
        return holdfast.call("/org/holdfast1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    except holdfast.BusError as error:
        assert "NoReply" in error.name or "Spawn" in error.name or "systemd1" in error.name, error
        return None


# --- the bus dies ----------------------------------------------------------------------------------------------------------------------

def test_bus_that_is_restarted(remote):
    repository = holdfast.make_repository("/srv/tests/busless", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("long", remote, repository, limits={"bandwidth": "1M"}))
    run = holdfast.start("long")
    run.moves(1)
    sh("systemctl", "restart", "dbus.service")
    eventually(lambda: answers(run), 60, "the daemon is back on the new bus")
    now = run.all()
    assert now["State"] == "running", now
    assert run.wait()["Result"] == "done"
    assert unit("holdfast.service", "ActiveState")["ActiveState"] == "active"
    sh("rm", "-r", repository)


def answers(run):
    try:
        return run.all()
    except (holdfast.BusError, holdfast.GLib.Error):
        return None


# --- the history breaks ------------------------------------------------------------------------------------------------------------------

def test_history_that_is_destroyed_is_set_aside(jobs):
    jobs("a")
    holdfast.start("a").wait()
    sh("systemctl", "stop", "holdfast.service")
    for companion in holdfast.STATE.glob("history.db-*"):
        companion.unlink()  # it would be mended from its log
    HISTORY.write_bytes(b"\x5a" * 65536)
    began = time.time()
    sh("systemctl", "start", "holdfast.service")
    aside = list(holdfast.STATE.glob("history.db.broken-*"))
    assert len([file for file in aside if not file.name.endswith(("-wal", "-shm"))]) == 1
    alerts = sh("journalctl", "--no-pager", "--output=cat", "--priority=alert", "-u", "holdfast.service", f"--since=@{began:.6f}").stdout
    assert "The history was corrupt" in alerts and str(aside[0]) in alerts
    run = holdfast.start("a")
    assert run.wait()["Result"] == "done"
    sh("systemctl", "restart", "holdfast.service")
    assert run.all()["Result"] == "done"
    for file in aside:
        file.unlink()


def test_history_keeps_what_the_settings_say(jobs):
    jobs("a", "b")
    old = holdfast.start("b")
    old.wait()
    for _ in range(3):
        last = holdfast.start("a")
        last.wait()
    settings(historyMaxRuns=2)
    kept = eventually(lambda: (runs := holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 99, 0, {}))
                      and {run["Id"] for run in runs if run["Job"] in ("a", "b")} == {last.id, old.id} and runs)
    assert kept[0]["Id"] == last.id


# --- the package ---------------------------------------------------------------------------------------------------------------------------

def test_upgrade_leaves_runs_alone(remote):
    repository = holdfast.make_repository("/srv/tests/upgraded", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("long", remote, repository, limits={"bandwidth": "1M"}))
    run = holdfast.start("long")
    run.moves(1)
    worker = unit(run.unit, "MainPID")
    sh("dpkg", "--install", "/var/cache/holdfast.deb")
    assert run["State"] == "running" and unit(run.unit, "MainPID") == worker
    assert run.wait()["Result"] == "done"
    sh("rm", "-r", repository)
