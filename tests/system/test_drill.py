"""Drills: the newest backup of a job comes back whole into scratch and is removed again; damage is found and named; whatever
kills a drill leaves nothing; and a person sees in the status what is proven and what is not."""
import json
import os
import pathlib
import time

import backups
import faults
import holdfast
import pytest
import zpools
from holdfast import eventually, sh
from test_restore import one_megabyte_a_second  # noqa: F401
from zpools import dataset, pools, zfs, zfs_job  # noqa: F401

CACHE = holdfast.STATE / "cache"


def drill(job, **options):
    return holdfast.Run(*holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Drill", "(sa{sv})", job, backups.variants(options)))


def of(job):
    return holdfast.properties(holdfast.jobs()[job], holdfast.JOB)


def proves(run, backup):
    last = run.wait()
    assert (last["State"], last["Result"], last["Error"], last["Kind"]) == ("completed", "done", "", "drill"), last
    assert last["Metadata"]["proves"] == backup["Id"]
    # The reply about the run's end and the job's property need not come in one turn.
    eventually(lambda: of(last["Job"])["LastProvenAt"] == last["FinishedAt"], 5, "LastProvenAt")
    assert of(last["Job"])["LastDrillResult"] == "done" and of(last["Job"])["LastDrillId"] == last["Id"]
    assert of(last["Job"])["LastRunId"] == backup["Id"], "a drill is no backup"
    assert nothing_left()
    return last


def fails(run, *words):
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "failed"), last
    for word in words:
        assert word in last["Error"], last["Error"]
    assert nothing_left()
    return last


def nothing_left():
    eventually(lambda: not holdfast.leftovers(), 10, "no leftovers")  # the cache folder is looked at, too
    return True


def proven(job):
    """Backs up and drills; returns the drill's last properties."""
    backup = holdfast.start(job).completes()
    return proves(drill(job), backup)


@pytest.fixture
def mirror(remote, tmp_path):
    """A job of plain files, and the folder that it mirrors."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub/random").write_bytes(os.urandom(1 << 20))
    (source / "text").write_text("text\n" * 10000)
    (source / "odd name'\"$x").write_text("odd\n")
    (source / "empty").touch()
    holdfast.create_job({"name": "mirrored", "remoteName": remote.name, "destinationPath": "backups", "sourcePath": str(source)})
    return "mirrored"


# --- what comes back -------------------------------------------------------------------------------------------------------

def test_git_repository_is_proven(remote, job):
    backup = holdfast.start(job).completes()
    before = remote.files()
    assert of(job)["LastProvenAt"] == 0
    last = proves(drill(job), backup)
    assert last["Metadata"]["gitFsck"] == "ok" and last["Metadata"]["filesRestored"] > 10
    assert last["BytesDone"] == (remote.folder / remote.objects()[0]).stat().st_size and remote.files() == before


def test_plain_files_are_proven(remote, mirror):
    backup = holdfast.start(mirror).completes()
    manifest = remote.manifests()["backups/mirrored.mirror"]
    last = proves(drill(mirror), backup)
    assert last["Metadata"]["filesRestored"] == manifest["copy"]["files"] == 4
    assert last["Metadata"]["bytesRestored"] == manifest["copy"]["bytes"]


@pytest.mark.skipif(not zpools.KERNEL and not os.path.exists("/dev/fuse"), reason="there is neither OpenZFS nor /dev/fuse here")
def test_dataset_is_proven(remote, pools, dataset):
    job = zfs_job(remote, dataset)
    backup = holdfast.start(job).completes()
    before = zfs("list", "-H", "-o", "name", "-t", "all")
    last = proves(drill(job), backup)
    guid = remote.manifests()[f"backups/{backup['OutputPath'].split('/')[-1]}"]["zfs"]["guid"]
    assert last["Metadata"]["guid"] == guid and zfs("list", "-H", "-o", "name", "-t", "all") == before


def test_newest_backup_is_drilled(remote, repository, job):
    holdfast.start(job).completes()
    sh("touch", repository / "another")
    second = holdfast.start(job).completes()
    proves(drill(job), second)


def test_proof_outlives_the_daemon_and_a_newer_backup(job):
    last = proven(job)
    holdfast.sh("systemctl", "restart", "holdfast.service")
    assert of(job)["LastProvenAt"] == last["FinishedAt"] and of(job)["LastDrillResult"] == "done"
    holdfast.start(job).completes()
    assert of(job)["LastProvenAt"] == last["FinishedAt"]


def test_deep_verification_proves_too_and_a_shallow_look_does_not(remote, job):
    first, second = holdfast.start(job).completes(), holdfast.start(job).completes()
    for run in (backups.verify(remote, job=("s", job)), drill(job, deep=("b", False)), backups.verify(remote, first["Id"], deep=("b", True))):
        last = run.wait()
        assert last["Result"] == "done" and not last["Metadata"].get("provesNewest"), last
    assert of(job)["LastProvenAt"] == 0
    last = backups.verify(remote, job=("s", job), deep=("b", True)).wait()
    assert last["Metadata"]["proves"] == second["Id"]
    eventually(lambda: of(job)["LastProvenAt"] == last["FinishedAt"], 5)


def test_sizes_alone_prove_nothing(remote, mirror):
    holdfast.start(mirror).completes()
    last = backups.verify(remote, job=("s", mirror), deep=("b", True)).completes()
    assert "proves" not in last["Metadata"] and "only the sizes" in last["Metadata"]["message"]
    assert of(mirror)["LastProvenAt"] == 0


def test_backups_elsewhere_prove_nothing_of_this_job(job):
    proven(job)
    holdfast.call(holdfast.jobs()[job], holdfast.JOB, "Update", "(sa{sv})", json.dumps({"destinationPath": "elsewhere"}), {})
    assert of(job)["LastProvenAt"] == 0
    fails(drill(job), "There is no backup of job", "elsewhere")


# --- what is found ------------------------------------------------------------------------------------------------------------

def test_corrupted_object_is_named_and_the_proof_stays_what_it_was(remote, job):
    at = proven(job)["FinishedAt"]
    holdfast.start(job).completes()
    newest = sorted(remote.objects())[-1]
    backups.flip_a_bit(remote, newest)
    last = fails(drill(job), newest, "SHA-256")
    assert "proves" not in last["Metadata"]
    now = eventually(lambda: of(job)["LastDrillResult"] == "failed" and of(job), 5)
    assert (now["LastProvenAt"], now["LastDrillId"]) == (at, last["Id"])


def test_changed_file_of_a_mirror_is_named(remote, mirror):
    holdfast.start(mirror).completes()
    # (of a mirror on a disk there are no hashes, as each run would have to read all of it)
    backups.truncate(remote, "backups/sub/random")
    fails(drill(mirror), "1 of 4 files", "sub/random")
    assert of(mirror)["LastProvenAt"] == 0


def test_repository_that_was_broken_before_it_was_backed_up_is_found(remote, repository, job):
    """The hashes of the backup are right: only git sees it."""
    blob = holdfast.git(repository, "rev-parse", "HEAD:file-0")
    holdfast.start(job).completes()
    name = remote.objects()[0]
    unpacked = remote.folder / "unpacked"
    unpacked.mkdir()
    sh("tar", "-xf", remote.folder / name, "-C", unpacked)
    (unpacked / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    sh("tar", "-cf", "/tmp/broken.tar", "-C", unpacked, ".git")
    sh("rm", "-r", unpacked)
    backups.replace_content(remote, name, pathlib.Path("/tmp/broken.tar").read_bytes())
    fails(drill(job), "git fsck", blob)


def test_newest_manifest_that_cannot_be_read_fails_the_drill(remote, job):
    holdfast.start(job).completes()
    holdfast.start(job).completes()
    newest = sorted((remote.folder / "backups").glob("*.manifest.json"))[-1]
    newest.write_text("{")
    fails(drill(job), newest.name)


def test_backup_larger_than_allowed_is_not_fetched(remote, repository):
    holdfast.create_job(holdfast.flash_job("large", remote, repository, drill={"maxSize": "10K"}))
    holdfast.start("large").completes()
    last = fails(drill("large"), "drill.maxSize", "10.0 KiB")
    assert last["BytesDone"] == 0


def test_backup_larger_than_the_room_is_not_fetched(remote, job):
    holdfast.start(job).completes()
    with faults.mounted(CACHE, "size=128k"):
        last = drill(job).wait()
        assert last["Result"] == "failed" and str(CACHE) in last["Error"] and "free" in last["Error"], last
        assert last["BytesDone"] == 0


# --- what dies ------------------------------------------------------------------------------------------------------------------

def slow_drill(remote):
    repository = holdfast.make_repository("/srv/tests/slow-drill", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("slow-drill", remote, repository))
    holdfast.start("slow-drill").completes()
    sh("rm", "-r", repository)


def test_worker_that_is_killed_leaves_nothing(remote, request):
    slow_drill(remote)
    request.getfixturevalue("one_megabyte_a_second")
    run = drill("slow-drill")
    run.moves(1 << 20)
    assert list((CACHE / run.id).glob("drill.holdfast-*"))
    faults.kill_worker(run)
    assert run.wait()["Result"] == "interrupted"
    assert nothing_left() and of("slow-drill")["LastProvenAt"] == 0


def test_drill_can_be_cancelled(remote, request):
    slow_drill(remote)
    request.getfixturevalue("one_megabyte_a_second")
    run = drill("slow-drill")
    run.moves(1 << 20)
    run.cancel()
    assert run.wait()["Result"] == "cancelled"
    assert nothing_left()


@pytest.mark.skipif(not zpools.KERNEL and not os.path.exists("/dev/fuse"), reason="there is neither OpenZFS nor /dev/fuse here")
def test_dataset_goes_when_the_worker_is_killed(remote, pools, dataset):
    job = zfs_job(remote, dataset)
    holdfast.start(job).completes()
    before = zfs("list", "-H", "-o", "name", "-t", "all")
    with zpools.zfs_held("get -H -p -o value guid tank/holdfast-drill"):
        run = drill(job)
        eventually(lambda: "tank/holdfast-drill.holdfast-" + run.id in zfs("list", "-H", "-o", "name"), 30, "the dataset is there")
        faults.kill_worker(run)
        faults.let_go()
        assert run.wait()["Result"] == "interrupted"
    assert nothing_left() and zfs("list", "-H", "-o", "name", "-t", "all") == before


# --- who may, and when ------------------------------------------------------------------------------------------------------------

def test_who_may_start_a_job_may_drill_it(remote, repository):
    for name in ("shared-one", "private-one"):
        holdfast.create_job(holdfast.flash_job(name, remote, repository))
    holdfast.start("shared-one").completes()
    error, output = holdfast.call_as("alice", holdfast.ROOT, holdfast.MANAGER, "Drill", "shared-one", "{}")
    assert error is None, output
    assert holdfast.Run(output.split("'")[1]).wait()["Result"] == "done"
    error, _ = holdfast.call_as("alice", holdfast.ROOT, holdfast.MANAGER, "Drill", "private-one", "{}")
    assert error == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"


def timers():
    lines = sh("systemctl", "list-timers", "--all", "--no-legend").stdout.split()
    return sorted(word for word in lines if word.startswith("holdfast-drill@") and word.endswith(".timer"))


def test_timer_comes_and_goes_with_the_job(remote, repository):
    holdfast.create_job(holdfast.flash_job("timed", remote, repository, drill={"schedule": "weekly"}))
    assert timers() == ["holdfast-drill@timed.timer"]
    assert of("timed")["NextDrillAt"] > time.time() * 1e6 and of("timed")["NextRunAt"] == 0
    holdfast.call(holdfast.jobs()["timed"], holdfast.JOB, "Update", "(sa{sv})", '{"enabled": false}', {})
    assert timers() == [] and of("timed")["NextDrillAt"] == 0
    holdfast.call(holdfast.jobs()["timed"], holdfast.JOB, "Update", "(sa{sv})", '{"enabled": true}', {})
    assert timers() == ["holdfast-drill@timed.timer"]
    holdfast.remove_job("timed")
    assert timers() == []


def test_timer_starts_a_drill(remote, repository):
    holdfast.create_job(holdfast.flash_job("timed", remote, repository))
    holdfast.start("timed").completes()
    soon = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + 3))
    holdfast.call(holdfast.jobs()["timed"], holdfast.JOB, "Update", "(sa{sv})", json.dumps({"drill": {"schedule": soon}}), {})
    eventually(lambda: of("timed")["LastProvenAt"] > 0, 40, "a drill by the timer")


def test_schedule_that_systemd_does_not_understand_is_refused(remote, repository):
    with pytest.raises(holdfast.BusError) as refused:
        holdfast.create_job(holdfast.flash_job("timed", remote, repository, drill={"schedule": "every other day"}))
    assert "/drill/schedule" in refused.value.message


# --- for a person -----------------------------------------------------------------------------------------------------------------

def status(**options):
    lines = sh("holdfastctl", "status", **options).stdout.splitlines()
    return dict((line.split()[0], line) for line in lines)


def test_status_tells_what_is_proven_and_what_is_not(remote, repository, job):
    assert "no backup yet" not in status()[job], "it has no schedule"
    holdfast.start(job).completes()
    assert "drill" not in status()[job]
    sh("holdfastctl", "drill", job, "--follow")
    at = eventually(lambda: of(job)["LastProvenAt"], 5)
    shown = time.strftime("%m-%d %H:%M", time.localtime(at / 1e6))
    assert "LAST PROVEN" in status()["JOB"] and shown in status()[job] and "failed" not in status()[job]
    backups.flip_a_bit(remote, remote.objects()[0])
    assert sh("holdfastctl", "drill", job, "--follow", check=False).returncode != 0
    line = status()[job]
    assert "drill failed" in line and "\x1b" not in line
    terminal = sh("script", "--quiet", "--return", "--command", "holdfastctl status", "/dev/null", env=os.environ | {"TERM": "xterm"}).stdout
    assert "\x1b[31mdrill failed" in terminal


def test_status_tells_that_a_job_is_overdue(remote, repository):
    holdfast.create_job(holdfast.flash_job("late", remote, repository, schedule="*-*-* *:*:0/2"))
    eventually(lambda: of("late")["LastSuccessAt"] > 0, 30)
    assert "overdue" not in status()["late"]
    override = pathlib.Path("/run/systemd/system/holdfast-job@.service.d/nothing.conf")
    override.parent.mkdir(parents=True)
    override.write_text("[Service]\nExecStart=\nExecStart=/bin/true\n")  # the timer elapses, and nothing comes of it
    try:
        sh("systemctl", "daemon-reload")
        eventually(lambda: "overdue" in status()["late"], 30)
    finally:
        override.unlink()
        override.parent.rmdir()
        sh("systemctl", "daemon-reload")
    eventually(lambda: "overdue" not in status()["late"], 30)
