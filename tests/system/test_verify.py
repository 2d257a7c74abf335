"""Verification: whole backups pass, each kind of damage is found and named, and a run that verifies is a run like any other."""
import json
import os

import backups
import faults
import holdfast
import pytest


@pytest.fixture(params=["shallow", "deep"])
def deep(request):
    return ("b", request.param == "deep")


def passes(run, count):
    last = run.wait()
    assert (last["State"], last["Result"], last["Error"], last["Kind"]) == ("completed", "done", "", "verify"), last
    assert last["Metadata"]["backupsVerified"] == count and last["Metadata"]["problems"] == []
    return last


def finds(run, *words):
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "failed"), last
    for word in words:
        assert word in last["Error"], last["Error"]
    return last


def test_whole_backups_pass(remote, job, deep):
    first, second = (holdfast.start(job).wait() for _ in range(2))
    before = remote.files()
    passes(backups.verify(remote, first["Id"][:8], deep=deep), 1)
    last = passes(backups.verify(remote, job=("s", job), deep=deep), 2)
    assert remote.files() == before and last["Job"] == job
    stored = sum((remote.folder / name).stat().st_size for name in remote.objects())
    assert last["BytesDone"] == (stored if deep[1] else 0)


def test_only_a_deep_look_finds_a_flipped_bit_on_a_disk(remote, job):
    backup = holdfast.start(job).wait()
    [name] = remote.objects()
    backups.flip_a_bit(remote, name)
    passes(backups.verify(remote, backup["Id"]), 1)
    finds(backups.verify(remote, backup["Id"], deep=("b", True)), name, "SHA-256", "1 of 1 backups")


@pytest.mark.parametrize("damage, words", [
    (backups.truncate, "bytes, but its manifest says"),
    (lambda remote, name: os.remove(remote.folder / name), "missing"),
])
def test_missing_and_truncated_objects_are_found_at_a_glance(remote, job, damage, words):
    backup = holdfast.start(job).wait()
    [name] = remote.objects()
    damage(remote, name)
    finds(backups.verify(remote, backup["Id"]), name, words)


def test_every_problem_of_a_job_is_named(remote, job):
    runs = [holdfast.start(job).wait() for _ in range(4)]
    names = [run["OutputPath"].split(":")[1] for run in runs]
    backups.truncate(remote, names[0])
    os.remove(remote.folder / names[1])
    manifest = remote.folder / f"{names[2]}.manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    last = finds(backups.verify(remote, job=("s", job)), "3 of 4 backups", names[0], names[1], "version 2")
    assert len(last["Metadata"]["problems"]) == 3 and last["Metadata"]["backupsVerified"] == 4


def test_archive_that_is_none_is_found(remote, job):
    """As its manifest says, byte for byte, but no archive: only reading it as one tells."""
    backup = holdfast.start(job).wait()
    backups.replace_content(remote, remote.objects()[0], os.urandom(100_000))
    passes(backups.verify(remote, backup["Id"]), 1)
    finds(backups.verify(remote, backup["Id"], deep=("b", True)), "tar")


def test_verification_is_not_the_jobs_last_run(remote, job):
    backup = holdfast.start(job).wait()
    run = backups.verify(remote, backup["Id"])
    passes(run, 1)
    assert holdfast.properties(holdfast.jobs()[job], holdfast.JOB)["LastRunId"] == backup["Id"]
    kinds = {row["Id"]: row["Kind"] for row in holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 10, 0, {})}
    assert kinds[run.id] == "verify" and kinds[backup["Id"]] == "streaming"
    holdfast.sh("systemctl", "restart", "holdfast.service")
    assert holdfast.properties(holdfast.jobs()[job], holdfast.JOB)["LastRunId"] == backup["Id"]


def test_verification_can_be_cancelled(remote, job):
    backup = holdfast.start(job).wait()
    with faults.rclone_held("cat"):
        run = backups.verify(remote, backup["Id"], deep=("b", True))
        run.reaches(Phase="reading")
        run.cancel()
        assert run.wait()["Result"] == "cancelled"


def test_job_without_backups_is_said_to_have_none(remote, job):
    finds(backups.verify(remote, job=("s", job)), f"no backup of job {job}")
