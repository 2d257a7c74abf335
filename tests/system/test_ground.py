"""The ground under a backup has changed: another machine's backups, a clock that was wrong, a disk that is not mounted, a source
that has lost its files, another mirror in the same folder. What was there stays, and somebody is told."""
import json
import pathlib
import time

import backups
import holdfast
import pytest
from test_ctl import ctl, ctl_json
from test_drill import drill
from test_keep import as_if_made, keeping, name_of, runs_at
from test_plain import plain_job, tree  # noqa: F401

MINUTE = 60_000_000  # in microseconds


def of(job):
    return holdfast.properties(holdfast.jobs()[job], holdfast.JOB)


def told(job, *words):
    """What the job's Attention says, once the end of the run has come to it."""
    return holdfast.eventually(lambda: of(job)["Attention"] == list(words), 5, f"Attention: {words}")


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.fixture
def disk():
    """A folder that is a file system of its own."""
    folder = pathlib.Path("/srv/tests/disk")
    folder.mkdir(parents=True)
    holdfast.sh("mount", "-t", "tmpfs", "tmpfs", folder)
    yield folder
    holdfast.sh("umount", folder, check=False)
    holdfast.sh("rm", "-r", folder)


# --- whose, and of when --------------------------------------------------------------------------------------------------------------

def test_newest_of_a_job_is_this_machines(remote, repository, tmp_path):
    job = keeping(remote, repository, last=1)
    own = holdfast.start(job).completes()
    others = as_if_made(remote, own, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 60)), machine="0" * 32,
                        startedAt=own["StartedAt"] + MINUTE)
    backups.flip_a_bit(remote, f"backups/{others}")  # so that it could not be restored
    [manifest] = [m for name, m in remote.manifests().items() if name.endswith(others)]
    shown = {row["run"]: row["own"] for row in ctl_json("backups", job)}
    assert shown == {own["Id"]: True, manifest["run"]: False}
    assert "another machine's" in ctl("backups", job).stdout

    restored = ctl_json("restore", job, str(tmp_path / "back"))["id"]
    holdfast.Run(restored).completes()
    assert drill(job).completes()["Metadata"]["backup"] == own["Id"]
    holdfast.start(job).completes()
    assert manifest["run"] in runs_at(remote) and own["Id"] in runs_at(remote), "a drill has proven it"

    for name in list(remote.manifests()):
        if not name.endswith(others):
            (remote.folder / f"{name}.manifest.json").unlink()
    assert "another machine" in ctl("restore", job, str(tmp_path / "other"), status=1).stderr
    assert "another machine" in drill(job).wait()["Error"]
    by_run = ctl_json("restore", manifest["run"], str(tmp_path / "other"), "--remote", remote.name, "--path", "backups")
    assert "is damaged" in holdfast.Run(by_run["id"]).wait()["Error"]


def test_backup_of_the_future_is_not_the_newest(remote, repository):
    job = keeping(remote, repository, last=1)
    own = holdfast.start(job).completes()
    as_if_made(remote, own, "20360101T000000Z", startedAt=own["StartedAt"] + 60_000 * MINUTE)
    assert "dated in the future" in ctl("backups", job).stdout
    new = holdfast.start(job).completes()
    assert len(new["Metadata"]["pruned"]) == 1 and len(remote.manifests()) == 2, "it takes no place of those that are"
    assert drill(job).completes()["Metadata"]["backup"] == new["Id"]
    assert told(job, "a backup is dated in the future")


# --- mirrors -------------------------------------------------------------------------------------------------------------------------

def test_mirror_of_another_job_or_machine_is_not_overwritten(remote, tree):  # noqa: F811
    job = plain_job("first", remote)
    holdfast.start(job).completes()
    before = remote.files()
    (tree / "file-0").write_text("second's")
    last = holdfast.start(plain_job("second", remote)).wait()
    assert last["Result"] == "failed" and "mirror of another job, first" in last["Error"]
    assert remote.files() == before and (remote.folder / "copies/file-0").read_text("latin-1") != "second's"

    manifest = remote.folder / "copies/first.mirror.manifest.json"
    edit(manifest, machine="0" * 32, host="elsewhere")
    last = holdfast.start(job).wait()
    assert last["Result"] == "failed" and "another machine (elsewhere)" in last["Error"]
    assert remote.files() == before and (remote.folder / "copies/file-0").read_text("latin-1") != "second's"


# --- mounts --------------------------------------------------------------------------------------------------------------------------

def test_destination_that_is_not_mounted_is_refused(tree, disk):  # noqa: F811
    remote = holdfast.Remote("disk", disk / "backups")
    job = plain_job("to-disk", remote, layout="versions")
    holdfast.start(job).completes()
    holdfast.sh("umount", "--lazy", disk)
    last = holdfast.start(job).wait()
    assert last["Result"] == "failed" and "not mounted" in last["Error"], last
    assert list(disk.iterdir()) == []


def test_destination_without_its_earlier_backups_is_told(remote, tree):  # noqa: F811
    job = plain_job("emptied", remote, layout="versions")
    holdfast.start(job).completes()
    holdfast.sh("rm", "-r", remote.folder / "copies")
    last = holdfast.start(job).completes()
    assert last["Metadata"]["attention"] == ["earlier backups are missing"] and told(job, "earlier backups are missing")
    assert "earlier backups are missing" in ctl("status").stdout
    holdfast.start(job).completes()
    assert told(job)


def test_source_that_shrank_costs_no_backup(remote, disk):
    for number in range(40):
        (disk / f"file-{number}").write_text(str(number))
    job = plain_job("shrinking", remote, disk, layout="versions", keep={"last": 1})
    whole = holdfast.start(job).completes()
    holdfast.sh("umount", "--lazy", disk)
    (disk / "README").write_text("nothing here")
    for _ in range(2):
        last = holdfast.start(job).completes()
        assert last["Metadata"]["pruned"] == [] and told(job, "source shrank")
        assert "40 files" in last["Metadata"]["warnings"][0] and "not mounted" in last["Metadata"]["warnings"][0]
    assert whole["Id"] in {manifest["run"] for manifest in remote.manifests().values()} and len(remote.manifests()) == 3

    holdfast.Run(ctl_json("prune", job, "--now")["id"]).completes()
    assert len(remote.manifests()) == 1
    last = holdfast.start(job).completes()
    assert told(job) and len(last["Metadata"]["pruned"]) == 1


def test_mirror_whose_source_is_not_mounted_stays(remote, disk):
    for number in range(40):
        (disk / f"file-{number}").write_text(str(number))
    job = plain_job("mirrored-disk", remote, disk)
    holdfast.start(job).completes()
    before = remote.manifests()
    holdfast.sh("umount", "--lazy", disk)
    assert "no files" in holdfast.start(job).wait()["Error"]
    (disk / "README").write_text("nothing here")
    last = holdfast.start(job).wait()
    assert last["Result"] == "failed" and "The mirror stays as it is" in last["Error"]
    assert remote.manifests() == before and not (remote.folder / "copies/README").exists()
