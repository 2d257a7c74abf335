"""Restores of ZFS streams (zfs-fuse): files, snapshots and GUIDs afterwards, chains whole and broken, and no dataset left after a
failure."""
import hashlib
import json
import os
import pathlib
import subprocess

import backups
import faults
import holdfast
import pytest
from test_zfs import POOLS, Dataset, dataset, destroy, pools, same_files, zfs, zfs_job  # noqa: F401

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="there is no /dev/fuse here")


def datasets(pool="copy"):
    return set(zfs("list", "-H", "-r", "-t", "filesystem", "-o", "name", pool).splitlines()) - {pool}


@pytest.fixture
def target():
    """A dataset that is not there yet, in a pool without any other."""
    assert datasets() == set()
    yield "copy/restored"
    for name in sorted(datasets()):
        if name in datasets():
            destroy(name)


def nothing_restored():
    assert datasets() == set()
    return True


def mounted(name):
    zfs("mount", name)
    return POOLS / name


def fails(run, *words):
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "failed"), last
    for word in words:
        assert word in last["Error"], last["Error"]
    return True


def add_increment(remote, dataset, base, tag):
    """Stores an increment as a later run would: the stream from `base` to a new snapshot. Returns its manifest."""
    (dataset.folder / tag).write_text(tag)
    old = f"{dataset.name}@{base['zfs']['snapshot']}"
    new = f"{dataset.name}@{tag}"
    zfs("snapshot", new)
    run = hashlib.md5(new.encode()).hexdigest()
    stream = remote.folder / "backups" / f"{base['job']}-20270101T00000{base['zfs'].get('depth', 0)}Z-{run[:8]}.zfs"
    with stream.open("wb") as file:
        subprocess.run(["zfs", "send", "-i", old, new], stdout=file, check=True, timeout=60)
    content = stream.read_bytes()
    true = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = base | {
        "run": run, "startedAt": base["startedAt"] + 1, "finishedAt": base["finishedAt"] + 1,
        "stream": {"format": "zfs-send", "compression": "none"} | true, "objects": [{"name": stream.name} | true],
        "zfs": base["zfs"] | {"snapshot": tag, "guid": zfs("get", "-H", "-p", "-o", "value", "guid", new), "baseGuid": base["zfs"]["guid"],
                              "baseRun": base["run"], "depth": base["zfs"].get("depth", 0) + 1}}
    stream.with_name(stream.name + ".manifest.json").write_text(json.dumps(manifest))
    return manifest


@pytest.fixture
def chain(remote, dataset):  # noqa: F811
    """A full backup and two increments; the dataset still has all of their snapshots."""
    job = zfs_job(remote, dataset)
    run, last = holdfast.run_to_the_end(job)
    [full] = remote.manifests().values()
    # The run has destroyed its snapshot: receive it back, and go on from there.
    name = last["OutputPath"].split(":")[1]
    with (remote.folder / name).open("rb") as stream:
        zfs("receive", f"{dataset.name}-chain", stdin=stream)
    grown = Dataset.__new__(Dataset)
    grown.name, grown.folder = f"{dataset.name}-chain", POOLS / f"{dataset.name}-chain"
    first = add_increment(remote, grown, full, "first")
    second = add_increment(remote, grown, first, "second")
    yield grown, [full, first, second]
    destroy(grown.name)


@pytest.mark.parametrize("config", [{}, {"compressionLevel": 3}], ids=["plain", "zstd"])
def test_restores_files_and_snapshot(remote, dataset, target, config):  # noqa: F811
    run, _ = holdfast.run_to_the_end(zfs_job(remote, dataset, config))
    last = backups.restore(remote, run.id, target).wait()
    assert (last["State"], last["Error"], last["Kind"]) == ("completed", "", "restore"), last
    [manifest] = remote.manifests().values()
    assert datasets() == {target}
    assert zfs("get", "-H", "-p", "-o", "value", "guid", f"{target}@{manifest['zfs']['snapshot']}") == manifest["zfs"]["guid"]
    assert same_files(dataset.folder, mounted(target))


def test_recursive_backup_comes_back_with_all_below(remote, target):
    above = Dataset()
    zfs("create", f"{above.name}/below")
    (above.folder / "below/file").write_text("below")
    try:
        run, _ = holdfast.run_to_the_end(zfs_job(remote, above, {"recursive": True}))
        backups.restore(remote, run.id, target).completes()
        assert datasets() == {target, f"{target}/below"}
    finally:
        destroy(above.name)


def test_chain_is_listed_and_restored_in_order(remote, chain, target):
    grown, manifests = chain
    rows = {row["Run"]: row for row in backups.listed(remote)}
    full, first, second = (rows[m["run"]] for m in manifests)
    assert (full["Depth"], first["Depth"], second["Depth"]) == (0, 1, 2)
    assert first["FullRun"] == second["FullRun"] == full["Run"] and second["BaseRun"] == first["Run"]
    last = backups.restore(remote, second["Run"], target).wait()
    assert (last["State"], last["Error"]) == ("completed", ""), last
    assert last["BytesDone"] == sum(m["objects"][0]["size"] for m in manifests)
    assert same_files(grown.folder, mounted(target))
    snapshots = zfs("list", "-H", "-r", "-t", "snapshot", "-o", "name", target).splitlines()
    assert snapshots == [f"{target}@{m['zfs']['snapshot']}" for m in manifests]


def test_middle_of_a_chain_is_restored_without_its_end(remote, chain, target):
    _, manifests = chain
    backups.restore(remote, manifests[1]["run"], target).completes()
    folder = mounted(target)
    assert (folder / "first").read_text() == "first" and not (folder / "second").exists()


def test_chain_with_a_missing_middle_is_found_and_named(remote, chain, target):
    _, (full, first, second) = chain
    name = first["objects"][0]["name"]
    os.remove(remote.folder / "backups" / f"{name}.manifest.json")
    rows = {row["Run"]: row for row in backups.listed(remote)}
    assert first["run"] in rows[second["run"]]["Error"] and rows[full["run"]]["Error"] == ""
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, second["run"], target)
    assert first["run"] in refused.value.message and "not here" in refused.value.message
    last = backups.verify(remote, job=("s", full["job"])).wait()
    assert last["State"] == "failed" and first["run"] in last["Error"] and "1 of 2" in last["Error"]
    assert nothing_restored()


@pytest.mark.parametrize("damage, words", [
    # zfs-fuse takes it without a word; OpenZFS refuses it before all of it has come.
    (backups.flip_a_bit, ("is damaged", "zfs could not take")), (backups.truncate, "bytes, but its manifest says"),
    (lambda remote, name: os.remove(remote.folder / name), "missing"),
])
def test_damage_in_a_chain_restores_nothing(remote, chain, target, damage, words):
    _, (_, first, second) = chain
    name = f"backups/{first['objects'][0]['name']}"
    damage(remote, name)
    last = backups.restore(remote, second["run"], target).wait()
    assert last["State"] == "failed" and name in last["Error"], last
    assert any(word in last["Error"] for word in ([words] if isinstance(words, str) else words)), last["Error"]
    assert nothing_restored()


def test_dataset_that_is_there_is_left_alone(remote, dataset, target):  # noqa: F811
    run, _ = holdfast.run_to_the_end(zfs_job(remote, dataset))
    zfs("create", target)
    assert fails(backups.restore(remote, run.id, target), f"There is a dataset {target} already")
    assert fails(backups.restore(remote, run.id, target, force=("b", True)), "is mounted")
    assert datasets() == {target}


def test_force_sets_the_dataset_aside(remote, dataset, target):  # noqa: F811
    run, _ = holdfast.run_to_the_end(zfs_job(remote, dataset))
    zfs("create", target)
    (POOLS / target / "precious").write_text("precious")
    zfs("unmount", target)
    last = backups.restore(remote, run.id, target, force=("b", True)).wait()
    assert last["State"] == "completed", last
    aside = last["Metadata"]["setAside"]
    assert datasets() == {target, aside}
    assert same_files(dataset.folder, mounted(target))
    assert (mounted(aside) / "precious").read_text() == "precious"


@pytest.mark.parametrize("where", ["/srv/folder", "copy", "copy/", "copy//x", "copy/x y", "-copy/x"])
def test_target_that_is_no_dataset_is_refused(remote, dataset, where):  # noqa: F811
    run, _ = holdfast.run_to_the_end(zfs_job(remote, dataset))
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, run.id, where)
    assert refused.value.name == "org.freedesktop.DBus.Error.InvalidArgs"


def test_pool_that_is_not_there_is_named(remote, dataset):  # noqa: F811
    run, _ = holdfast.run_to_the_end(zfs_job(remote, dataset))
    assert fails(backups.restore(remote, run.id, "nowhere/restored"), "nowhere", "There is no such dataset")


@pytest.fixture
def slow_restore(remote, target):
    """A restore of 8 MiB at 1 MiB/s, under way."""
    large = Dataset(megabytes=8)
    run, _ = holdfast.run_to_the_end(zfs_job(remote, large))
    settings = holdfast.CONFIG / "holdfast.json"
    settings.write_text('{"maxTotalBandwidth": 1048576}')
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})
    restore = backups.restore(remote, run.id, target)
    restore.moves(1 << 20)
    yield restore
    settings.unlink()
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})
    destroy(large.name)


def test_worker_that_is_killed_leaves_no_dataset(slow_restore):
    faults.kill_worker(slow_restore)
    assert slow_restore.wait()["Result"] == "interrupted"
    assert nothing_restored()


def test_cancelled_restore_leaves_no_dataset(slow_restore):
    slow_restore.cancel()
    assert slow_restore.wait()["Result"] == "cancelled"
    assert nothing_restored()
