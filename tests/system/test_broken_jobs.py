"""A job file, or a settings file, that can never do what it says is said to be broken: at once, and for as long as it is."""
import json
import time

import holdfast
import pytest
from holdfast import MANAGER, ROOT, call, eventually, sh

JOBS = holdfast.CONFIG / "jobs"
SETTINGS = holdfast.CONFIG / "holdfast.json"


def write(name, remote, **changes):
    document = {"name": name, "remoteName": remote.name, "destinationPath": "x", "sourcePath": "/usr/share/holdfast"} | changes
    (JOBS / f"{name}.json").write_text(json.dumps(document))


def holdfastctl(*words):
    done = sh("holdfastctl", *words, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


def attention(job):
    [line] = [line for line in holdfastctl("status")[1].splitlines() if line.split()[:1] == [job]]
    return line


@pytest.mark.parametrize("changes, why", [
    ({"schedule": "tomorrow-ish"}, "does not understand the schedule"),
    ({"schedule": "0 0 31 2 *"}, "never comes"),
    ({"schedule": "2020-01-01 00:00:00"}, "never comes"),
    ({"remoteName": "nosuch"}, 'no remote "nosuch"'),
    ({"sourcePath": "/srv/nowhere"}, "There is no /srv/nowhere"),
    ({"drill": {"schedule": "dailly"}}, "does not understand the schedule")])
def test_a_file_that_can_never_do_what_it_says_is_broken(remote, changes, why):
    write("hopeless", remote, **changes)
    status, words = holdfastctl("reload")
    assert status == 1 and "hopeless.json" in words and why in words, words
    status, words = holdfastctl("status")
    assert status == 1 and "hopeless.json" in words and why in words, words
    write("hopeless", remote)
    assert holdfastctl("reload")[0] == 0
    assert holdfastctl("status")[0] == 0


def test_a_job_that_does_not_start_by_itself_any_more_shows_it(remote):
    write("nightly", remote, schedule="daily")
    assert holdfastctl("reload")[0] == 0
    holdfast.start("nightly").completes()
    assert "does not start by itself" not in attention("nightly")
    write("nightly", remote, schedule="dailly")
    assert holdfastctl("reload")[0] == 1
    assert "does not start by itself" in attention("nightly")


def test_what_was_wrong_when_the_service_started_is_found_and_goes_with_a_run_that_is_done(remote, tmp_path):
    write("early", remote, sourcePath=str(tmp_path / "late"))
    sh("systemctl", "restart", "holdfast.service")
    broken = lambda: [file for file, _ in holdfast.properties(ROOT, MANAGER)["BrokenJobs"]]  # noqa: E731
    eventually(lambda: broken() == ["early.json"])
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "file").write_text("there")
    holdfast.start("early").completes()
    assert broken() == []


def test_the_service_says_that_its_settings_are_broken(remote):
    write("plain", remote)
    SETTINGS.write_text('{"maxAttempts": "some"}')
    try:
        sh("systemctl", "restart", "holdfast.service")
        began = time.monotonic()
        status, words = holdfastctl("status")
        assert time.monotonic() - began < 5
        assert status == 1 and "holdfast.json" in words and "maxAttempts must be" in words, words
        status, words = holdfastctl("start", "plain")
        assert status != 0 and "maxAttempts must be" in words, words
        SETTINGS.write_text('{"maxAttempts": 2}')
        assert holdfastctl("reload")[0] == 0
        assert call(ROOT, "org.freedesktop.DBus.Properties", "Get", "(ss)", MANAGER, "MaxAttempts") == 2
        holdfast.start("plain").completes()
    finally:
        SETTINGS.unlink()
        call(ROOT, MANAGER, "Reload", "(a{sv})", {})
