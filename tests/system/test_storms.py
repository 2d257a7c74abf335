"""A user who floods the service keeps nobody else from it: not root, whose timers start backups, and no other user."""
import json
import os
import pathlib
import subprocess
import time

import holdfast
import pytest
from holdfast import GLib, MANAGER, ROOT, call, sh

STORM = pathlib.Path(__file__).with_name("storm.py")
JOBS = pathlib.Path("/etc/holdfast/jobs")


@pytest.fixture
def storm():
    """Starts one of bob's; returns its process once its calls are open."""
    begun = []

    def start(*words):
        storm = subprocess.Popen(["runuser", "-u", "bob", "--", "/usr/bin/python3", "-B", STORM, *map(str, words)],
                                 stdout=subprocess.PIPE, text=True)
        begun.append(storm)
        assert storm.stdout.readline() == "open\n"
        return storm
    yield start
    for storm in begun:
        storm.communicate(timeout=60)


@pytest.fixture
def many_jobs(remote):
    """Ten thousand, beside those of the test."""
    for number in range(10_000):
        document = {"name": f"many-{number:05}", "enabled": False, "remoteName": remote.name, "destinationPath": "x", "sourcePath": "/srv"}
        (JOBS / f"many-{number:05}.json").write_text(json.dumps(document))
    call(ROOT, MANAGER, "Reload", "(a{sv})", {}, timeout=120)
    yield
    sh("find", JOBS, "-name", "many-*.json", "-delete")
    call(ROOT, MANAGER, "Reload", "(a{sv})", {}, timeout=120)


def patience():
    """Seconds that root's call may take; more where other work keeps the machine busy."""
    return 2 * max(1, os.getloadavg()[0] / os.cpu_count())


def start_times(job, number):
    """How long each of root's StartJob takes to be answered, whatever the answer."""
    times = []
    for _ in range(number):
        began = time.monotonic()
        try:
            call(ROOT, MANAGER, "StartJob", "(sa{sv})", job, {}, timeout=60)
        except holdfast.BusError as error:
            assert error.name == "org.holdfast1.Error.AlreadyQueued", error
        times.append(round(time.monotonic() - began, 2))
        time.sleep(0.3)
    return times


def test_calls_of_a_user_do_not_keep_root_from_starting_backups(job, storm):
    """Each call of the storm asks polkit."""
    bobs = storm(30, 64, 6, MANAGER, "StartJob", job)
    times = start_times(job, 6)
    assert max(times) < patience(), times
    sh("systemctl", "start", f"holdfast-job@{job}.service", timeout=20)
    assert holdfast.call_as("alice", ROOT, MANAGER, "ListJobs", "{}")[0] is None
    assert int(bobs.communicate(timeout=30)[0]) > 0


def test_large_answers_to_a_user_do_not_keep_root_from_starting_backups(job, many_jobs, storm):
    bobs = storm(30, 120, 8, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    times = start_times(job, 8)
    bobs.communicate(timeout=30)
    times += start_times(job, 2)  # nothing is worked off for one who has left
    assert max(times) < patience(), times
    assert int(holdfast.unit("holdfast.service", "MemoryCurrent")["MemoryCurrent"]) < 200 << 20
    assert holdfast.unit("holdfast.service", "NRestarts")["NRestarts"] == "0"


def test_pages_of_the_history_do_not_keep_root_from_starting_backups(job, storm):
    storm(20, 60, 3, MANAGER, "GetJob", job)
    storm(20, 60, 3, "org.freedesktop.DBus.Introspectable", "Introspect")
    times = start_times(job, 4)
    assert max(times) < patience(), times


def test_a_call_that_is_too_large_is_refused_alone():
    with pytest.raises(holdfast.BusError, match="too large"):
        call(ROOT, MANAGER, "ValidateJob", "(sa{sv})", "x" * (7 << 20), {})
    assert call(ROOT, MANAGER, "ListRuns", "(uua{sv})", 1, 0, {"job": GLib.Variant("s", "none")}) == []
