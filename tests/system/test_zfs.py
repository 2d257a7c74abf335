"""The ZFS source on real pools. The proof is `zfs receive` of what lies at the destination into another pool
and a comparison of every file. After every test, of all snapshots only foreign ones are left."""
import json
import pathlib
import time

import faults
import holdfast
import pytest
from zpools import (KERNEL, POOLS, SEND, SEND_ALL, Dataset, dataset, destroy, fill, needed, nothing_there, pools,  # noqa: F401
                    receive, same_files, start_and_hold, zfs, zfs_held, zfs_job)

pytestmark = needed


# --- a backup -------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("config", [
    {}, {"compressionLevel": 3}, {"streamDirect": False}, {"streamDirect": False, "compressionLevel": 1},
], ids=json.dumps)
def test_what_is_received_is_what_was_there(remote, dataset, config, tmp_path):
    run, last = holdfast.run_to_the_end(zfs_job(remote, dataset, config))
    assert dataset.untouched()
    manifest, target = receive(remote, run, tmp_path)
    assert same_files(dataset.folder, POOLS / target)

    fields = manifest["zfs"]
    assert last["Metadata"]["snapshotName"] == f"{fields['dataset']}@{fields['snapshot']}"
    assert fields["snapshot"].startswith("nightly-20") and fields["snapshot"].endswith(f"-{run.id[:8]}")
    assert fields["guid"] == zfs("get", "-H", "-p", "-o", "value", "guid", f"{target}@{fields['snapshot']}")
    assert (fields["dataset"], fields["baseGuid"], fields["raw"], fields["recursive"]) == (dataset.name, "", False, False)
    assert manifest["tools"]["zfs"].startswith("zfs-" if KERNEL else "filesystem version ")
    assert manifest["source"] == "zfs" and manifest["stream"]["format"] == "zfs-send"
    assert last["OutputPath"].removesuffix(".zst").endswith(f"-{run.id[:8]}.zfs")
    destroy(target)


def test_recursive_backup_has_all_datasets_and_their_earlier_snapshots(remote, dataset, tmp_path):
    for child in ("one", "one/two"):
        zfs("create", f"{dataset.name}/{child}")
        fill(dataset.folder / child)
    (dataset.folder / "one/later").write_text("after the foreign snapshot\n")
    run, _ = holdfast.run_to_the_end(zfs_job(remote, dataset, {"recursive": True}))
    assert dataset.untouched()
    manifest, target = receive(remote, run, tmp_path)
    assert manifest["zfs"]["recursive"] is True
    assert same_files(dataset.folder, POOLS / target)
    received = zfs("list", "-H", "-r", "-t", "snapshot", "-o", "name", target).splitlines()
    name = manifest["zfs"]["snapshot"]
    assert sorted(received) == sorted([f"{target}@foreign"] + [f"{target}{child}@{name}" for child in ("", "/one", "/one/two")])
    destroy(target)


def test_files_that_change_meanwhile_are_backed_up_as_they_were(remote, tmp_path):
    dataset = Dataset(megabytes=4)
    before = tmp_path / "before"
    holdfast.sh("cp", "--archive", dataset.folder, before)
    run = holdfast.start(zfs_job(remote, dataset, limits={"bandwidth": "2M"}))
    run.moves(1 << 20)
    (dataset.folder / "text").write_text("changed\n")
    (dataset.folder / "sub/random").unlink()
    run.completes()
    _, target = receive(remote, run, tmp_path)
    assert same_files(before, POOLS / target)
    destroy(target)
    destroy(dataset.name)


def test_progress_has_an_estimated_total(remote, slow):
    run = holdfast.start(slow.job)
    run.moves(1 << 20)
    now = run.all()
    assert now["BytesTotalEstimated"] and 3 << 20 < now["BytesTotal"] < 16 << 20, now
    last = run.wait()
    assert last["BytesDone"] == last["BytesTotal"] and not last["BytesTotalEstimated"]


# --- what cannot work is said ------------------------------------------------------------------------------------------------------

def test_dataset_that_is_not_there_is_refused_when_the_job_is_made(remote, dataset):
    zfs("create", f"{dataset.name}/gone")
    destroy(f"{dataset.name}/gone")
    dataset_that_is_gone = type("Gone", (), {"name": f"{dataset.name}/gone"})
    with pytest.raises(holdfast.BusError) as refused:
        zfs_job(remote, dataset_that_is_gone)
    assert f"ZFS pool '{dataset.name}/gone' does not exist" in refused.value.message


def test_dataset_that_has_gone_since_is_named(remote):
    dataset = Dataset()
    job = zfs_job(remote, dataset)
    destroy(dataset.name)
    last = holdfast.start(job).wait()
    assert last["State"] == "failed" and "There is no such dataset" in last["Error"] and dataset.name in last["Error"]
    assert nothing_there(remote)


@pytest.mark.skipif(KERNEL, reason="this ZFS has raw streams")
def test_raw_stream_is_refused_where_zfs_has_none(remote, dataset):
    last = holdfast.start(zfs_job(remote, dataset, {"raw": True})).wait()
    assert last["State"] == "failed" and "cannot send raw streams" in last["Error"], last
    assert nothing_there(remote) and dataset.untouched()


def test_what_a_newer_zfs_can_do_is_used(remote, dataset, tmp_path):
    """zfs-fuse can tell no size and knows no -w -L -c -e: a stand-in offers them, notes how it is called, and leaves them out."""
    real, calls = holdfast.sh("which", "zfs").stdout.strip(), tmp_path / "calls"
    script = f"""
[ "$1" = send ] || exec {real} "$@"
[ $# -gt 1 ] || {{ printf 'usage:\\n\\tsend [-DnPpRvLecwhb] [-[i|I] snapshot] <snapshot>\\n' >&2; exit 2; }}
echo "$*" >>{calls}
[ "$2 $3" != "-n -P" ] || {{ printf 'size\\t12345678\\n'; exit 0; }}
exec {real} send "${{@: -1}}"
"""
    job = zfs_job(remote, dataset, {"raw": True}, limits={"bandwidth": "500K"})
    with faults.replaced("zfs", script):
        run = holdfast.start(job)
        run.moves(100000)
        now = run.all()
        assert now["BytesTotal"] == 12345678 and now["BytesTotalEstimated"]
        run.completes()
    snapshot = run["Metadata"]["snapshotName"]
    assert calls.read_text().splitlines() == [f"send -n -P -w -L -c -e {snapshot}", f"send -w -L -c -e {snapshot}"]
    manifest, target = receive(remote, run, tmp_path)
    assert manifest["zfs"]["raw"] is True and same_files(dataset.folder, POOLS / target)
    destroy(target)


@pytest.mark.parametrize("said, meaning", [
    ("cannot create snapshot 'x': out of space", "The pool is full"),
    ("cannot create snapshot 'x': permission denied", "ZFS does not permit it"),
    ("cannot create snapshot 'x': dataset is busy", "Something uses it"),
    ("cannot create snapshot 'x': pool must be upgraded", "does not support this"),
])
def test_snapshot_that_cannot_be_made(remote, dataset, said, meaning):
    real = holdfast.sh("which", "zfs").stdout.strip()
    job = zfs_job(remote, dataset, cleanupOnFailure=False)
    with faults.replaced("zfs", f'[ "$1" != snapshot ] || {{ echo "{said}" >&2; exit 1; }}\nexec {real} "$@"\n'):
        last = holdfast.start(job).wait()
    assert last["State"] == "failed" and meaning in last["Error"] and said in last["Error"], last
    assert "Kept" not in last["Error"], "there is nothing that could be kept"
    assert nothing_there(remote) and dataset.untouched()


def test_zfs_that_is_not_installed_is_named(remote, dataset):
    job = zfs_job(remote, dataset)
    program = pathlib.Path(holdfast.sh("which", "zfs").stdout.strip())
    program.rename(program.with_suffix(".away"))
    try:
        last = holdfast.start(job).wait()
    finally:
        program.with_suffix(".away").rename(program)
    assert last["State"] == "failed" and '"zfs" is not installed' in last["Error"], last


def test_zfs_that_does_not_run_is_named(remote, dataset):
    job = zfs_job(remote, dataset)
    with faults.replaced("zfs", "echo 'internal error: failed to initialize ZFS library' >&2; exit 1\n"):
        last = holdfast.start(job).wait()
    assert last["State"] == "failed" and "ZFS does not run on this machine" in last["Error"], last


def test_cache_folder_that_fills_up(remote, dataset):
    cache = holdfast.STATE / "cache"
    cache.mkdir(exist_ok=True)
    job = zfs_job(remote, dataset, {"streamDirect": False})
    holdfast.sh("mount", "-t", "tmpfs", "-o", "size=500K", "tmpfs", cache)
    try:
        last = holdfast.start(job).wait()
        assert last["State"] == "failed" and "No space left" in last["Error"] and "cache file" in last["Error"], last
        assert list(cache.iterdir()) == []
    finally:
        holdfast.sh("umount", cache)
    assert nothing_there(remote) and dataset.untouched()


def test_send_that_fails_half_way_commits_nothing(remote, dataset):
    real = holdfast.sh("which", "zfs").stdout.strip()
    job = zfs_job(remote, dataset)
    with faults.replaced("zfs", f'[[ "$*" == "{SEND} tank"* ]] || exec {real} "$@"\n{real} "$@" | head -c 100000\nexit 1\n'):
        last = holdfast.start(job).wait()
    assert last["State"] == "failed" and "zfs exited with status 1" in last["Error"], last
    assert nothing_there(remote) and dataset.untouched()


# --- killed and cancelled ----------------------------------------------------------------------------------------------------------

# The call of zfs at which the run is held: each is the one after an entry in the ledger, or after the thing itself. None is a
# call of the cleanup. What is held is never let go: a killed `zfs send -R` of zfs-fuse leaves holds of its own (docs/zfs.md).
MOMENTS = {
    "before the snapshot": " org.holdfast:run=",
    "before the hold": "hold ",
    "after the hold": " value guid ",
    "before the first byte": f"{SEND} tank",
}


@pytest.mark.parametrize("config", [{}, {"recursive": True}, {"streamDirect": False}], ids=json.dumps)
@pytest.mark.parametrize("moment", MOMENTS)
def test_worker_that_is_killed_leaves_nothing(remote, dataset, moment, config):
    zfs("create", f"{dataset.name}/child")
    words = MOMENTS[moment]
    if config.get("recursive"):
        words = words.replace(SEND + " ", SEND_ALL + " ")
    with zfs_held(words):
        run = start_and_hold(zfs_job(remote, dataset, config), words)
        made = [name for name in dataset.snapshots() if "@nightly-" in name]
        assert len(made) == (0 if moment == "before the snapshot" else 2 if config.get("recursive") else 1)
        faults.kill_worker(run)
        last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "interrupted")
    assert nothing_there(remote) and dataset.untouched()


@pytest.mark.parametrize("moment", MOMENTS)
def test_run_that_is_cancelled_leaves_nothing(remote, dataset, moment):
    with zfs_held(MOMENTS[moment]):
        run = start_and_hold(zfs_job(remote, dataset), MOMENTS[moment])
        run.cancel()
        last = run.wait()
    assert (last["State"], last["Result"]) == ("cancelled", "cancelled"), last
    assert nothing_there(remote) and dataset.untouched()


class Slow:
    def __init__(self, remote, **changes):
        self.dataset = Dataset(megabytes=6)
        self.job = zfs_job(remote, self.dataset, limits={"bandwidth": "2M"}, **changes)


@pytest.fixture
def slow(remote):
    """A job whose stream takes about three seconds."""
    slow = Slow(remote)
    yield slow
    destroy(slow.dataset.name)


def test_worker_killed_while_it_streams(remote, slow):
    run = holdfast.start(slow.job)
    run.moves(1 << 20)
    assert [holds for name, holds in slow.dataset.snapshots().items() if "@nightly-" in name] == [1], "it is held"
    faults.kill_worker(run)
    assert run.wait()["Result"] == "interrupted"
    assert nothing_there(remote) and slow.dataset.untouched()


def test_cancel_while_it_streams(remote, slow):
    run = holdfast.start(slow.job)
    run.moves(1 << 20)
    run.cancel()
    assert run.wait()["Result"] == "cancelled"
    assert nothing_there(remote) and slow.dataset.untouched()


def test_send_that_is_killed_is_started_afresh_from_the_same_snapshot(remote, slow, tmp_path):
    run = holdfast.start(slow.job)
    run.moves(1 << 20)
    faults.kill_child(run, "zfs")
    last = run.wait()
    assert (last["State"], last["Attempt"]) == ("completed", 2), last
    _, target = receive(remote, run, tmp_path)
    assert same_files(slow.dataset.folder, POOLS / target)
    destroy(target)
    assert slow.dataset.untouched()


# --- what is ours, and what is not ----------------------------------------------------------------------------------------------------

def test_snapshot_is_kept_if_the_job_says_so(remote, dataset):
    job = zfs_job(remote, dataset, cleanupOnFailure=False)
    with faults.replaced("rclone", '[[ "$1" == rcat || " $* " == *" rcat "* ]] && exit 1\nexec /usr/bin/rclone "$@"\n'):
        run = holdfast.start(job)
        last = run.wait()
    assert last["State"] == "failed"
    [kept] = [name for name in dataset.snapshots() if "@nightly-" in name]
    assert kept in last["Error"] and "cleanupOnFailure" in last["Error"], last
    assert dataset.snapshots()[kept] == 0, "no hold is in the way of who looks at it"
    assert nothing_there(remote)
    zfs("destroy", kept)


def test_snapshot_of_the_same_name_that_is_not_ours_stays(remote, dataset):
    zfs("create", f"{dataset.name}/ours")
    with zfs_held("release holdfast-"):
        run = start_and_hold(zfs_job(remote, dataset, {"recursive": True}), "release holdfast-")
        name = run["Metadata"]["snapshotName"].split("@")[1]
        zfs("create", f"{dataset.name}/theirs")
        zfs("snapshot", f"{dataset.name}/theirs@{name}")
        zfs("set", f"org.holdfast:run={run.id}", f"{dataset.name}/theirs")   # inherited, as far as ZFS lets snapshots inherit
        faults.let_go()
        run.completes()
    assert dataset.snapshots() == {f"{dataset.name}@foreign": 0, f"{dataset.name}/theirs@{name}": 0}


def test_snapshot_that_somebody_else_holds_goes_when_they_are_done(remote, slow):
    run = holdfast.start(slow.job)
    run.moves(1 << 20)
    snapshot = run["Metadata"]["snapshotName"]
    zfs("hold", "mine", snapshot)
    run.completes()
    assert slow.dataset.snapshots()[snapshot] == 1
    zfs("release", "mine", snapshot)
    assert slow.dataset.untouched()


def test_pool_that_is_away_is_cleaned_when_it_is_back(remote, dataset):
    """After a power cut the cleanup may come before the pool is imported."""
    real = holdfast.sh("which", "zfs").stdout.strip()
    job = zfs_job(remote, dataset)
    with zfs_held(MOMENTS["after the hold"]):
        run = start_and_hold(job, MOMENTS["after the hold"])
        absent = "echo \"cannot open '${@: -1}': dataset does not exist\" >&2; exit 1\n"
        with faults.replaced("zfs", absent):
            faults.kill_worker(run)
            faults.let_go()
            holdfast.eventually(lambda: run["State"] in holdfast.OVER, 30)
        assert list((holdfast.STATE / "ledger").glob(f"{run.id}*")), "what is left to do is not forgotten"
        pathlib.Path("/usr/local/bin/zfs").write_text(f'#!/bin/bash\nexec {real} "$@"\n')
        pathlib.Path("/usr/local/bin/zfs").chmod(0o755)
        began = time.monotonic()
        holdfast.sh("systemctl", "restart", "holdfast.service")
        holdfast.eventually(lambda: not list((holdfast.STATE / "ledger").glob(f"{run.id}*")), 60, "the ledger is settled")
        assert time.monotonic() - began < 60
    assert dataset.untouched() and nothing_there(remote)
