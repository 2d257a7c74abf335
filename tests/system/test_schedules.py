"""Schedules: timers of systemd, as `systemctl list-timers` shows them, that really start runs."""
import datetime
import json
import os
import pathlib
import time

import faults
import holdfast
import pytest
from holdfast import eventually, sh

STAMPS = pathlib.Path("/var/lib/systemd/timers")
DAY = 86400
BEGAN = 0


@pytest.fixture(autouse=True)
def beginning():
    global BEGAN
    BEGAN = int(time.time() * 1e6)


def timer(job):
    return f"holdfast-job@{job}.timer"


def timers():
    """Names of the timers that systemctl lists."""
    lines = sh("systemctl", "list-timers", "--all", "--no-legend").stdout.splitlines()
    return sorted(word for line in lines for word in line.split() if word.startswith("holdfast-job@") and word.endswith(".timer"))


def next_run(job):
    """NextRunAt in seconds since the epoch; 0 for never."""
    return holdfast.properties(holdfast.jobs()[job], holdfast.JOB)["NextRunAt"] / 1e6


def listed(job):
    """When systemctl says that the timer elapses, in seconds since the epoch; 0 while it does."""
    rows = json.loads(sh("systemctl", "list-timers", "--all", "--output=json").stdout)
    [elapses] = [row["next"] for row in rows if row["unit"] == timer(job)]
    return (elapses or 0) / 1e6


def runs_of(job):
    """Those since the test began; the history outlives it."""
    return holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 100, 0,
                         {"job": holdfast.GLib.Variant("s", job), "since": holdfast.GLib.Variant("t", BEGAN)})


def over(job, number=1, timeout=30):
    """Waits until the job has that many runs, and all of them are over; returns them."""
    def there():
        runs = runs_of(job)
        return len(runs) >= number and all(run["State"] in holdfast.OVER for run in runs) and runs
    return eventually(there, timeout, f"{number} finished runs of {job}")


def update(job, **changes):
    holdfast.call(holdfast.jobs()[job], holdfast.JOB, "Update", "(sa{sv})", json.dumps(changes), {})


def reload():
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


@pytest.fixture
def scheduled(remote, repository):
    """Makes a job with a schedule and returns its name."""
    def make(name, schedule, **changes):
        holdfast.create_job(holdfast.flash_job(name, remote, repository, schedule=schedule, **changes))
        return name
    return make


def at(hour, minute=0, zone=datetime.timezone.utc):
    """Seconds since the epoch of the next such time."""
    now = datetime.datetime.now(zone)
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (then if then > now else then + datetime.timedelta(days=1)).timestamp()


# --- timers for jobs ------------------------------------------------------------------------------------------------------------

def test_schedule_starts_runs(scheduled, remote):
    scheduled("often", "*-*-* *:*:0/4")
    assert timers() == [timer("often")]
    last = over("often", 2)
    assert {run["Result"] for run in last} == {"done"} and {run["StartedByUid"] for run in last} == {0}
    apart = last[0]["QueuedAt"] - last[1]["QueuedAt"]
    assert 3e6 < apart < 13e6, "whole steps of the schedule"
    assert len(remote.manifests()) >= 2
    assert "was started by its schedule" in holdfast.journal("-u", "holdfast-job@often.service")
    assert next_run("often") > time.time() - 5


def test_jobs_and_timers_go_together(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    scheduled("manual", "")
    scheduled("off", "*-*-* 03:00:00", enabled=False)
    assert timers() == [timer("night")]
    assert next_run("night") == at(3) and next_run("manual") == 0 and next_run("off") == 0

    update("night", schedule="*-*-* 04:30:00")
    assert timers() == [timer("night")] and next_run("night") == at(4, 30)
    update("off", enabled=True)
    assert timers() == [timer("night"), timer("off")] and next_run("off") == at(3)
    update("night", enabled=False)
    assert timers() == [timer("off")] and next_run("night") == 0
    update("night", enabled=True)
    update("night", schedule=None)
    assert timers() == [timer("off")] and next_run("night") == 0
    holdfast.remove_job("off")
    assert timers() == []
    assert runs_of("night") == runs_of("off") == [], "none of this starts a run"


def test_command_shows_the_next_run(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    then = datetime.datetime.fromtimestamp(at(3))
    for command in (["job", "list"], ["job", "show", "night"]):
        assert then.strftime("%Y-%m-%d %H:%M:%S") in sh("holdfastctl", *command).stdout, command
    this_year = then.year == datetime.datetime.now().year
    assert then.strftime("%m-%d %H:%M" if this_year else "%Y-%m-%d") in sh("holdfastctl", "status").stdout


def test_change_by_hand_takes_effect_with_reload(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    file = pathlib.Path("/etc/holdfast/jobs/night.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schedule": "*-*-* 05:00:00"}))
    with holdfast.Signals() as signals:
        reload()
        assert next_run("night") == at(5)
        eventually(lambda: [a for _, _, _, a in signals.named("PropertiesChanged") if "NextRunAt" in a[1]])
    file.unlink()
    reload()
    assert timers() == []


def test_right_timers_are_not_touched(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    scheduled("other", "*-*-* 03:00:00")
    since = holdfast.unit(timer("night"), "ActiveEnterTimestampMonotonic", "InvocationID")
    sh("systemctl", "restart", "holdfast.service")
    assert next_run("night") == at(3), "known as soon as the daemon answers"
    before = holdfast.unit("holdfast.service", "MainPID")
    sh("systemctl", "kill", "--signal=KILL", "holdfast.service")
    eventually(lambda: holdfast.unit("holdfast.service", "MainPID", "SubState")["SubState"] == "running"
               and holdfast.unit("holdfast.service", "MainPID") != before)
    assert next_run("night") == at(3)
    reload()
    update("other", schedule="daily")
    assert holdfast.unit(timer("night"), "ActiveEnterTimestampMonotonic", "InvocationID") == since
    assert runs_of("night") == []


def test_timer_that_somebody_stopped_comes_back_with_reload(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    sh("systemctl", "stop", timer("night"))
    eventually(lambda: next_run("night") == 0)
    reload()
    assert timers() == [timer("night")] and next_run("night") == at(3)


# --- forms --------------------------------------------------------------------------------------------------------------------------

def calendars(job):
    lines = sh("systemctl", "show", timer(job), "--property=TimersCalendar").stdout.splitlines()
    return sorted(line.split("OnCalendar=")[1].split(" ;")[0] for line in lines)


@pytest.mark.parametrize("schedule, expected", [
    ("0 3 * * *", ["*-*-* 03:00:00"]),
    ("0 4 1,15 * 5", ["*-*-01,15 04:00:00", "Fri *-*-* 04:00:00"]),
    ("@weekly", ["Sun *-*-* 00:00:00"]),
    ("Mon..Fri 22:30", ["Mon..Fri *-*-* 22:30:00"]),
    ("*-*-* 03:00:00 Asia/Tokyo", ["*-*-* 03:00:00 Asia/Tokyo"]),
])
def test_forms_of_schedules(scheduled, schedule, expected):
    scheduled("form", schedule)
    assert calendars("form") == expected
    assert next_run("form") > time.time()


def test_time_zones(scheduled):
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    scheduled("there", "*-*-* 03:00:00 Asia/Tokyo")
    scheduled("here", "*-*-* 03:00:00")
    assert next_run("there") == at(3, zone=tokyo) and next_run("here") == at(3)
    zone = os.readlink("/etc/localtime") if os.path.islink("/etc/localtime") else None
    sh("ln", "-sfn", "/usr/share/zoneinfo/Asia/Tokyo", "/etc/localtime")
    try:
        eventually(lambda: next_run("here") == at(3, zone=tokyo), what="the job follows the machine's time zone")
        assert listed("here") == next_run("here") and listed("there") == next_run("there")
    finally:
        sh("ln", "-sfn", zone or "/usr/share/zoneinfo/Etc/UTC", "/etc/localtime")
    eventually(lambda: next_run("here") == at(3))
    assert runs_of("here") == []


def test_schedule_that_systemd_does_not_understand(scheduled):
    with pytest.raises(holdfast.BusError) as refused:
        scheduled("wrong", "*-*-* 25:00:00")
    assert refused.value.name == "org.holdfast1.Error.InvalidConfig" and "/schedule" in refused.value.message
    scheduled("right", "*-*-* 03:00:00")
    broken = json.loads(pathlib.Path("/etc/holdfast/jobs/right.json").read_text()) | {"name": "wrong", "schedule": "*-*-* 25:00:00"}
    pathlib.Path("/etc/holdfast/jobs/wrong.json").write_text(json.dumps(broken))
    began = time.time()
    reload()
    assert timers() == [timer("right")] and next_run("right") == at(3) and next_run("wrong") == 0
    assert 'The schedule of job "wrong" is not in force' in holdfast.journal("-u", "holdfast.service", f"--since=@{began:.6f}")


def test_randomized_delay(scheduled):
    scheduled("delayed", "*-*-* 03:00:00", randomizedDelay="1h")
    assert at(3) <= next_run("delayed") <= at(3) + 3600
    assert holdfast.unit(timer("delayed"), "RandomizedDelayUSec")["RandomizedDelayUSec"] == "1h"
    before = next_run("delayed")
    sh("systemctl", "daemon-reload")
    assert next_run("delayed") == before
    update("delayed", randomizedDelay=None)
    assert next_run("delayed") == at(3)


# --- what is missed -------------------------------------------------------------------------------------------------------------------

def power_off(job, days):
    """The timer as a boot finds it after the machine was off for days: systemd has no transient units any more, only the stamp."""
    sh("systemctl", "stop", "holdfast.service")
    sh("systemctl", "stop", timer(job))
    then = time.time() - days * DAY
    os.utime(STAMPS / f"stamp-{timer(job)}", (then, then))


def test_missed_run_is_made_up_once(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    power_off("night", 3)
    sh("systemctl", "start", "holdfast.service")
    over("night")
    sh("systemctl", "restart", "holdfast.service")
    power_off("night", 0)
    sh("systemctl", "start", "holdfast.service")
    time.sleep(2)
    assert len(runs_of("night")) == 1
    assert next_run("night") == at(3)


def test_schedule_that_was_changed_has_missed_nothing(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    scheduled("off", "*-*-* 03:00:00")
    power_off("off", 3)
    power_off("night", 3)
    for name, change in {"night": {"schedule": "*-*-* 04:00:00"}, "off": {"enabled": False}}.items():
        file = pathlib.Path(f"/etc/holdfast/jobs/{name}.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    sh("systemctl", "start", "holdfast.service")
    assert next_run("night") == at(4)
    update("off", enabled=True)
    time.sleep(2)
    assert runs_of("night") == runs_of("off") == []


def test_schedules_go_on_without_the_daemon(scheduled):
    scheduled("often", "*-*-* *:*:0/4")
    over("often")
    sh("systemctl", "stop", "holdfast.service")
    began = time.time() * 1e6
    eventually(lambda: holdfast.unit("holdfast.service", "ActiveState")["ActiveState"] == "active", what="the timer starts the daemon")
    eventually(lambda: [run for run in runs_of("often") if run["QueuedAt"] > began and run["Result"] == "done"])


# --- no overlap ----------------------------------------------------------------------------------------------------------------------

def test_schedule_does_not_overlap_its_run(scheduled):
    scheduled("often", "*-*-* *:*:0/3")
    began = time.time()
    with faults.rclone_held("rcat", "--ignore-checksum"):
        eventually(lambda: runs_of("often"))
        eventually(lambda: "is skipped: its run" in holdfast.journal("-u", "holdfast.service", f"--since=@{began:.6f}"))
        [run] = runs_of("often")
        update("often", enabled=False)
    assert over("often")[0]["Result"] == "done"
    assert len(runs_of("often")) == 1
    service = holdfast.journal("-u", "holdfast-job@often.service", f"--since=@{began:.6f}")
    assert "is skipped" in service and "Failed" not in service


def test_what_a_timer_may_find_is_no_failure(scheduled):
    scheduled("off", "", enabled=False)
    for name in ("off", "nosuch"):
        assert sh("holdfastctl", "start", "--scheduled", "--", name).returncode == 0
    assert runs_of("off") == []
    assert sh("holdfastctl", "start", "off", "--follow", check=False).returncode == 0, "by hand it is meant"


# --- the package ------------------------------------------------------------------------------------------------------------------------

def test_removing_the_package_removes_the_timers(scheduled):
    scheduled("night", "*-*-* 03:00:00")
    sh("dpkg", "--remove", "holdfast")
    assert timers() == []
    sh("dpkg", "--install", "/var/cache/holdfast.deb")
    assert timers() == [timer("night")] and next_run("night") == at(3)
    assert runs_of("night") == []


# --- many jobs at one time ------------------------------------------------------------------------------------------------------

def test_a_timer_s_run_waits_for_a_slot_until_its_next_turn_comes(scheduled, remote):
    settings = holdfast.CONFIG / "holdfast.json"
    settings.write_text('{"maxConcurrentStreaming": 1, "queueTimeout": "1s"}')
    reload()
    try:
        folder = remote.folder.with_name(f"repository-of-{remote.name}")
        large = holdfast.make_repository(folder, commits=1, kilobytes=4 * 1024)
        holdfast.create_job(holdfast.flash_job("long", remote, large, limits={"bandwidth": "256K"}))
        long = holdfast.start("long")
        long.reaches(State="running")
        scheduled("night", "*-*-* 03:00:00")
        sh("systemctl", "start", "holdfast-job@night.service")
        by_hand = holdfast.start(scheduled("by-hand", ""))
        assert by_hand.wait()["Result"] == "timeout"
        [first] = [holdfast.Run(run["Id"]) for run in runs_of("night")]
        assert first["State"] == "queued"
        sh("systemctl", "start", "holdfast-job@night.service")
        assert first.wait()["Result"] == "timeout" and "next turn" in first["Error"]
        [second] = [holdfast.Run(run["Id"]) for run in runs_of("night") if run["Id"] != first.id]
        assert second["State"] == "queued"
        time.sleep(1.1)  # longer than queueTimeout
        long.cancel()
        second.completes()
        assert "has waited for" in holdfast.journal("-u", "holdfast.service", f"--since=@{BEGAN / 1e6:.6f}")
    finally:
        settings.unlink()
        reload()
