"""Backups of ZFS that hold only what has changed. The proof is that the chain which lies at the destination is received, backup by
backup, into another pool: every file and every GUID is compared. On the dataset itself exactly one base is left, always."""
import contextlib
import json
import pathlib

import faults
import holdfast
import pytest
from zpools import (POOLS, SEND, SEND_ALL, Dataset, dataset, destroy, needed, pools, receive,  # noqa: F401
                    same_files, start_and_hold, zfs, zfs_held, zfs_job)

pytestmark = needed

EVERY_RUN = {"incremental": {"enabled": True}}
RECURSIVE = EVERY_RUN | {"recursive": True}


@pytest.fixture(autouse=True)
def no_records():
    yield
    for record in (holdfast.STATE / "bases").glob("*"):
        record.unlink()


def record(job):
    return holdfast.STATE / "bases" / f"{job}.json"


def bookmarks(dataset):
    known = "unrecognized" not in holdfast.sh("zfs", "bookmark", check=False).stderr
    return zfs("list", "-H", "-r", "-t", "bookmark", "-o", "name", dataset.name).splitlines() if known else []


def bases(dataset):
    """Whatever is there beside the foreign snapshots; none of it is held."""
    snapshots = {name: holds for name, holds in dataset.snapshots().items() if not name.endswith("@foreign")}
    assert not any(snapshots.values()), snapshots
    return sorted(snapshots) + bookmarks(dataset)


def base_of(dataset, run):
    """The one base; it is the run's. Snapshots are marked with what they are."""
    snapshot, found = run["Metadata"]["snapshotName"], [name for name in bases(dataset) if name.startswith(f"{dataset.name}@")
                                                       or name.startswith(f"{dataset.name}#")]
    assert [name.replace("#", "@") for name in found] == [snapshot]
    [base] = found
    if "@" in base:
        assert zfs("get", "-H", "-o", "value,source", "org.holdfast:base", base).split("\t") == [run["Job"], "local"]
    return base


def change(dataset, number):
    (dataset.folder / f"new-{number}").write_bytes(bytes([number]) * 50000)
    (dataset.folder / "text").write_text(f"changed {number}\n")
    (dataset.folder / f"new-{number - 1}").unlink(missing_ok=True)


def set_zfs(job, **changes):
    patch = json.dumps({"preprocessConfig": {"zfs": changes}})
    holdfast.call(holdfast.jobs()[job], holdfast.JOB, "Update", "(sa{sv})", patch, {})


def backed_up(remote, job):
    """Runs the job; returns the run and what the manifest says of ZFS."""
    run, _ = holdfast.run_to_the_end(job)
    return run, manifest_of(remote, run)


def manifest_of(remote, run):
    return remote.manifests()["backups/" + run["OutputPath"].split("/")[-1]]["zfs"]


def sent_all(run, fields, why):
    assert (fields["baseGuid"], fields["baseRun"], fields["depth"]) == ("", "", 0), fields
    said = run["Metadata"]["message"]
    assert "All is sent" in said and why in said, said
    assert said.split(". ", 1)[1] in holdfast.journal("-u", run.unit), "the journal says it too"
    return True


def built_on(run, fields, earlier, its_fields):
    assert (fields["baseGuid"], fields["baseRun"]) == (its_fields["guid"], earlier.id), (fields, its_fields)
    assert fields["depth"] == its_fields["depth"] + 1
    assert "All is sent" not in run["Metadata"]["message"]
    return True


# --- the chain --------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("config", [{}, {"streamDirect": False}, {"compressionLevel": 1}], ids=json.dumps)
def test_chain_is_received_as_it_was(remote, dataset, config, tmp_path):
    job = zfs_job(remote, dataset, EVERY_RUN | config)
    runs, folders = [], []
    for number in range(3):
        change(dataset, number)
        folders.append(tmp_path / f"as it was {number}")
        holdfast.sh("cp", "--archive", dataset.folder, folders[-1])
        runs.append(backed_up(remote, job))
        base_of(dataset, runs[-1][0])
    (first, first_fields), (second, second_fields), (third, third_fields) = runs
    assert sent_all(first, first_fields, "No earlier backup")
    assert built_on(second, second_fields, first, first_fields) and built_on(third, third_fields, second, second_fields)
    assert third["BytesDone"] < 500000 < 1 << 20 < first["BytesDone"]

    target = None
    for (run, fields), folder in zip(runs, folders):
        _, target = receive(remote, run, tmp_path, onto=target)
        assert fields["guid"] == zfs("get", "-H", "-p", "-o", "value", "guid", f"{target}@{fields['snapshot']}")
        zfs("unmount", target)   # zfs-fuse shows the files as they were when they were last read, otherwise
        zfs("mount", target)
        assert same_files(folder, POOLS / target)
    destroy(target)


def test_recursive_chain_is_received_as_it_was(remote, dataset, tmp_path):
    zfs("create", f"{dataset.name}/one")
    zfs("create", f"{dataset.name}/two")
    job = zfs_job(remote, dataset, RECURSIVE)
    first, first_fields = backed_up(remote, job)
    assert len(bases(dataset)) == 3
    change(dataset, 1)
    zfs("snapshot", f"{dataset.name}@between")
    zfs("create", f"{dataset.name}/one/young")
    (dataset.folder / "one/young/file").write_text("born after the first backup\n")
    (dataset.folder / "one/file").write_text("one\n")
    second, second_fields = backed_up(remote, job)
    assert built_on(second, second_fields, first, first_fields)
    name = second_fields["snapshot"]
    marked = [f"{dataset.name}{child}@{name}" for child in ("", "/one", "/one/young", "/two")]
    assert bases(dataset) == sorted([f"{dataset.name}@between"] + marked)
    (dataset.folder / "two/file").write_text("two\n")
    destroy(f"{dataset.name}/one/young")
    third, third_fields = backed_up(remote, job)
    assert built_on(third, third_fields, second, second_fields)

    target = None
    for run in (first, second, third):
        if run is third:   # zfs-fuse sometimes finds busy what it has just unmounted, and cannot destroy it
            zfs("unmount", f"{target}/one/young")
        manifest, target = receive(remote, run, tmp_path, onto=target)
        for child in ("", "/one", "/two"):
            if run is third:
                guids = [zfs("get", "-H", "-p", "-o", "value", "guid", f"{root}{child}@{manifest['zfs']['snapshot']}")
                         for root in (dataset.name, target)]
                assert guids[0] == guids[1]
    assert same_files(dataset.folder, POOLS / target)
    received = zfs("list", "-H", "-r", "-t", "snapshot", "-o", "name", target).splitlines()
    assert f"{target}@between" in received and not any("young" in snapshot for snapshot in received)
    destroy(target)


def test_full_every_so_often(remote, dataset):
    job = zfs_job(remote, dataset, {"incremental": {"enabled": True, "fullEvery": 3}})
    depths = []
    for number in range(5):
        change(dataset, number)
        run, fields = backed_up(remote, job)
        depths.append(fields["depth"])
        base_of(dataset, run)
        if number == 3:
            assert sent_all(run, fields, "fullEvery is 3")
    assert depths == [0, 1, 2, 0, 1]


# --- whatever speaks against the base makes it a full backup -----------------------------------------------------------------------------

def test_base_that_was_destroyed(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    first, _ = backed_up(remote, job)
    zfs("destroy", base_of(dataset, first))
    second, fields = backed_up(remote, job)
    assert sent_all(second, fields, "was destroyed")
    base_of(dataset, second)


def test_base_is_known_by_its_guid_not_by_its_name(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    first, _ = backed_up(remote, job)
    base = base_of(dataset, first)
    zfs("destroy", base)
    zfs("snapshot", base.replace("#", "@"))
    if "#" in base:
        zfs("bookmark", base.replace("#", "@"), base)
    second, fields = backed_up(remote, job)
    assert sent_all(second, fields, "is not the one")
    assert base in bases(dataset) or base.replace("#", "@") in bases(dataset), "it is not ours, and stays"


def test_dataset_below_that_has_lost_its_snapshot(remote, dataset, tmp_path):
    zfs("create", f"{dataset.name}/child")
    job = zfs_job(remote, dataset, RECURSIVE)
    first, fields = backed_up(remote, job)
    zfs("destroy", f"{dataset.name}/child@{fields['snapshot']}")
    second, fields = backed_up(remote, job)
    assert sent_all(second, fields, f"{dataset.name}/child has no snapshot")
    _, target = receive(remote, second, tmp_path)
    assert same_files(dataset.folder, POOLS / target)
    destroy(target)


@pytest.mark.parametrize("damage", ["gone", "cut short", "of another run"])
def test_last_backup_that_is_no_longer_at_the_destination(remote, dataset, damage):
    job = zfs_job(remote, dataset, EVERY_RUN)
    first, _ = backed_up(remote, job)
    [manifest] = remote.folder.rglob("*.manifest.json")
    if damage == "gone":
        manifest.unlink()
    elif damage == "cut short":
        manifest.write_text(manifest.read_text()[:300])
    else:
        manifest.write_text(manifest.read_text().replace(first.id, "0" * 32))
    second, fields = backed_up(remote, job) if damage != "cut short" else (holdfast.run_to_the_end(job)[0], None)
    if damage == "cut short":
        manifest.unlink()
        fields = manifest_of(remote, second)
    assert sent_all(second, fields, "no longer at the destination")
    base_of(dataset, second)


def test_job_that_was_changed(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    backed_up(remote, job)
    set_zfs(job, recursive=True)
    run, fields = backed_up(remote, job)
    assert sent_all(run, fields, "recursive was changed")
    assert bases(dataset) == [run["Metadata"]["snapshotName"]]
    holdfast.call(holdfast.jobs()[job], holdfast.JOB, "Update", "(sa{sv})", json.dumps({"destinationPath": "backups/elsewhere"}), {})
    run, _ = holdfast.run_to_the_end(job)
    assert f"went to {remote.name}:backups/" in run["Metadata"]["message"]
    assert bases(dataset) == [run["Metadata"]["snapshotName"]]


def test_base_moves_with_the_job_to_another_dataset(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    backed_up(remote, job)
    other = Dataset()
    set_zfs(job, poolName=other.name)
    run, fields = backed_up(remote, job)
    assert sent_all(run, fields, f"was of {dataset.name}")
    base_of(other, run)
    assert dataset.untouched() and not bases(dataset), "nothing of the job is left where it no longer looks"
    destroy(other.name)


def test_record_that_cannot_be_read(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    backed_up(remote, job)
    record(job).write_text("{")
    run, fields = backed_up(remote, job)
    assert sent_all(run, fields, "cannot be understood")
    if not bookmarks(dataset):
        base_of(dataset, run)


def test_incremental_switched_off_takes_the_base_away(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    backed_up(remote, job)
    assert record(job).exists()
    set_zfs(job, incremental={"enabled": False})
    _, fields = backed_up(remote, job)
    assert fields["depth"] == 0 and not record(job).exists()
    assert not bases(dataset) and dataset.untouched()


def test_failed_run_leaves_the_base_as_it_was(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    first, first_fields = backed_up(remote, job)
    with faults.replaced("rclone", '[[ " $* " == *" rcat "* ]] && exit 1\nexec /usr/bin/rclone "$@"\n'):
        assert holdfast.start(job).wait()["State"] == "failed"
    base_of(dataset, first)
    second, fields = backed_up(remote, job)
    assert built_on(second, fields, first, first_fields)
    base_of(dataset, second)


# --- killed ---------------------------------------------------------------------------------------------------------------------------

BEFORE_THE_COMMIT = {
    "before the snapshot": " org.holdfast:run=",
    "before the hold": "hold ",
    "after the hold": " value guid ",
    "before the first byte": f"{SEND} -i ",
}
AFTER_THE_COMMIT = {
    "before the new base is marked": "set org.holdfast:base=",
    "before the old base goes": "destroy -d ",
    "before the hold goes": "release holdfast-",
}


@contextlib.contextmanager
def zfs_held_once(words):
    """As zfs_held(), but only the first such call is held: the cleanup's goes through."""
    real = holdfast.sh("which", "zfs").stdout.strip()
    once = pathlib.Path("/srv/tests/held-once")
    faults.HELD.write_text("held\n")
    script = f"""if [[ "$* " == *{words!r}* ]] && mkdir {once} 2>/dev/null; then
    while [ -e {faults.HELD} ]; do sleep 0.05; done
fi
exec {real} "$@"
"""
    with faults.replaced("zfs", script):
        try:
            yield
        finally:
            faults.let_go()
            once.rmdir()


@pytest.mark.parametrize("config", [EVERY_RUN, RECURSIVE], ids=json.dumps)
@pytest.mark.parametrize("moment", BEFORE_THE_COMMIT)
def test_killed_before_the_commit(remote, dataset, moment, config, tmp_path):
    job = zfs_job(remote, dataset, config)
    first, first_fields = backed_up(remote, job)
    before = bases(dataset)
    change(dataset, 1)
    words = BEFORE_THE_COMMIT[moment]
    if config.get("recursive"):
        words = words.replace(f"{SEND} -i", f"{SEND_ALL} -I")
    if moment == "after the hold":   # the base's GUID is asked for as well
        words = f" value guid {dataset.name}@nightly-"
    with zfs_held_but_for(first_fields["snapshot"], words):
        run = start_and_hold(job, words)
        faults.kill_worker(run)
        assert run.wait()["Result"] == "interrupted"
    assert bases(dataset) == before, "the old base, and nothing else"
    second, fields = backed_up(remote, job)
    assert built_on(second, fields, first, first_fields)
    base_of(dataset, second)
    _, target = receive(remote, first, tmp_path)
    receive(remote, second, tmp_path, onto=target)
    assert same_files(dataset.folder, POOLS / target)
    destroy(target)


@contextlib.contextmanager
def zfs_held_but_for(name, words):
    """As zfs_held(), but calls that are only about the snapshot `name` go through."""
    real = holdfast.sh("which", "zfs").stdout.strip()
    with zfs_held(words):
        stand_in = pathlib.Path("/usr/local/bin/zfs")
        begin, script = stand_in.read_text().split("\n", 1)
        stand_in.write_text(f'{begin}\n[[ "$1" != get || "$*" != *{name!r} ]] || exec {real} "$@"\n{script}')
        yield


@pytest.mark.parametrize("config", [EVERY_RUN, RECURSIVE], ids=json.dumps)
@pytest.mark.parametrize("moment", AFTER_THE_COMMIT)
def test_killed_after_the_commit_before_the_hand_over_is_done(remote, dataset, moment, config, tmp_path):
    job = zfs_job(remote, dataset, config)
    first, first_fields = backed_up(remote, job)
    change(dataset, 1)
    words = AFTER_THE_COMMIT[moment]
    if "#" in base_of(dataset, first):   # bookmarks carry no marks
        for only_with_snapshots in ("destroy -d ", "set org.holdfast:base="):
            words = words.replace(only_with_snapshots, f"destroy {dataset.name}#")
    with zfs_held_once(words):
        second = start_and_hold(job, words)
        faults.kill_worker(second)
        last = second.wait()
    assert (last["State"], last["Result"]) == ("completed", "done"), last
    second_fields = manifest_of(remote, second)
    assert built_on(second, second_fields, first, first_fields)
    base_of(dataset, second)
    change(dataset, 2)
    third, third_fields = backed_up(remote, job)
    assert built_on(third, third_fields, second, second_fields)
    base_of(dataset, third)
    target = None
    for run in (first, second, third):
        _, target = receive(remote, run, tmp_path, onto=target)
    assert same_files(dataset.folder, POOLS / target)
    destroy(target)


def test_destination_that_cannot_be_asked_whether_the_run_is_committed(remote, dataset, tmp_path):
    """Until it can, the snapshot is neither destroyed nor made the base."""
    job = zfs_job(remote, dataset, RECURSIVE)
    first, _ = backed_up(remote, job)
    away, once = pathlib.Path("/srv/tests/away"), pathlib.Path("/srv/tests/held-once")
    faults.HELD.write_text("held\n")
    # The manifest is read back after it was written: there the worker is killed, and the destination goes away.
    script = f"""[ ! -e {away} ] || {{ echo "connection refused" >&2; exit 5; }}
if [[ "$* " == *" cat "*manifest.json* && "$*" != *{first.id[:8]}* ]] && mkdir {once} 2>/dev/null; then
    while [ -e {faults.HELD} ]; do sleep 0.05; done
fi
exec /usr/bin/rclone "$@"
"""
    with faults.replaced("rclone", script):
        second = holdfast.start(job)
        holdfast.eventually(once.exists, what="the manifest is read back")
        away.write_text("away\n")
        faults.kill_worker(second)
        holdfast.eventually(lambda: holdfast.unit(second.unit, "LoadState")["LoadState"] == "not-found", 60)
        assert second["State"] not in holdfast.OVER and len(bases(dataset)) == 2, "nobody knows yet"
        away.unlink()
        faults.let_go()
        holdfast.sh("systemctl", "restart", "holdfast.service")
        last = second.wait()
    once.rmdir()
    assert last["State"] == "completed", last
    base_of(dataset, second)


def test_late_hand_over_does_not_replace_a_newer_base(remote, dataset, tmp_path):
    real = holdfast.sh("which", "zfs").stdout.strip()
    job = zfs_job(remote, dataset, RECURSIVE)
    first, first_fields = backed_up(remote, job)
    late = tmp_path / "late"
    script = f'[[ "$*" != "set org.holdfast:base="*-"$(cat {late})" ]] || {{ echo "I/O error" >&2; exit 1; }}\nexec {real} "$@"\n'
    with faults.replaced("zfs", script):
        second = holdfast.start(job)
        late.write_text(second.id[:8])
        last = second.wait()
        assert last["State"] == "completed" and "Not cleaned up yet" in last["Error"], last
        ledger = holdfast.STATE / "ledger" / f"{second.id}.jsonl"
        assert ledger.exists()
        third, third_fields = backed_up(remote, job)
        assert built_on(third, third_fields, first, first_fields), "the last base that was handed over"
        assert ledger.exists() and len(bases(dataset)) == 2
    holdfast.sh("systemctl", "restart", "holdfast.service")
    holdfast.eventually(lambda: not ledger.exists(), 60, "the late hand-over")
    base_of(dataset, third)
    fourth, fields = backed_up(remote, job)
    assert built_on(fourth, fields, third, third_fields)


def test_base_of_a_run_under_a_wrong_clock_makes_way(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    earlier, its_fields = backed_up(remote, job)
    wrong = json.loads(record(job).read_text()) | {"startedAt": 2_100_000_000_000_000}
    record(job).write_text(json.dumps(wrong))
    for number in range(2):
        change(dataset, number)
        run, fields = backed_up(remote, job)
        assert built_on(run, fields, earlier, its_fields)
        base_of(dataset, run)
        earlier, its_fields = run, fields
