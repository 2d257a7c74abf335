"""Schedules when somebody sets the clock. Runs in the machine that tests/vm/run boots, beside the tests of
tests/system: in a container, the clock is that of the machine around it."""
import json
import time

import holdfast
import pytest
from holdfast import eventually, sh
from test_schedules import DAY, at, listed, next_run, reload


@pytest.fixture(autouse=True)
def clock():
    """Right again after the test."""
    began, then = time.time(), time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, began + time.monotonic() - then)


@pytest.fixture
def scheduled(remote, repository):
    """Makes a job with a schedule. By hand, as no probe has to look at it then, which takes long in this machine."""
    def make(name, schedule):
        document = holdfast.flash_job(name, remote, repository, schedule=schedule)
        (holdfast.CONFIG / f"jobs/{name}.json").write_text(json.dumps(document))
        reload()
    return make


def set_clock(seconds):
    sh("date", f"--set=@{seconds:.3f}")


def runs_of(job):
    return holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 100, 0, {"job": holdfast.GLib.Variant("s", job)})


def has_run(job):
    """Waits until the job has had its only run, which was a success."""
    eventually(lambda: [run for run in runs_of(job) if run["State"] in holdfast.OVER], 240, f"a run of {job}")
    assert [run["Result"] for run in runs_of(job)] == ["done"]


def is_next(job, seconds):
    return next_run(job) == listed(job) == seconds


def test_run_that_the_clock_has_skipped_is_made_up_once(scheduled):
    scheduled("skipped", "*-*-* 03:00:00 UTC")
    first = at(3)
    assert is_next("skipped", first)
    set_clock(first + 2 * DAY + 3600)
    eventually(lambda: is_next("skipped", first + 3 * DAY), 60, "the next run is that after the new time")
    has_run("skipped")
    time.sleep(3)
    assert len(runs_of("skipped")) == 1 and is_next("skipped", first + 3 * DAY)


def test_next_run_is_sooner_when_the_clock_is_set_back(scheduled):
    scheduled("early", "*-*-* 03:00:00 UTC")
    first = at(3)
    set_clock(first - 2 * DAY - 3600)
    eventually(lambda: is_next("early", first - 2 * DAY), 60, "the next run is that after the new time")
    assert runs_of("early") == []
    set_clock(first - 2 * DAY - 2)
    has_run("early")
    eventually(lambda: is_next("early", first - DAY), 60)


def test_a_schedule_that_has_run_runs_again_when_the_clock_is_set_back(scheduled):
    scheduled("again", "*-*-* 03:00:00 UTC")
    first = at(3)
    set_clock(first + 1)
    has_run("again")
    set_clock(first - DAY - 3600)
    eventually(lambda: is_next("again", first - DAY), 60, "the next run is that after the new time")
    assert len(runs_of("again")) == 1


def test_next_run_is_true_to_a_daemon_that_was_away_when_the_clock_was_set(scheduled):
    scheduled("away", "*-*-* 03:00:00 UTC")
    first = at(3)
    sh("systemctl", "stop", "holdfast.service")
    set_clock(first - 2 * DAY - 3600)
    sh("systemctl", "start", "holdfast.service")
    eventually(lambda: is_next("away", first - 2 * DAY), 60)
    assert runs_of("away") == []
