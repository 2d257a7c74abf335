"""What OpenZFS has and zfs-fuse has not. Runs in the machine that tests/vm/run boots, beside the tests of tests/system."""
import os
import pathlib

import holdfast
import pytest
from test_zfs_incremental import EVERY_RUN, RECURSIVE, backed_up, bases, built_on, change, no_records, sent_all  # noqa: F401
from zpools import (POOLS, SEND, Dataset, dataset, destroy, needed, nothing_there, numbers, pools, receive,  # noqa: F401
                    same_files, start_and_hold, zfs, zfs_held, zfs_job)

pytestmark = needed

KEY = pathlib.Path("/srv/tests/key")


def test_it_is_openzfs():
    assert zfs("version").startswith("zfs-2.")


def test_the_manifest_names_the_version(remote, dataset):
    holdfast.start(zfs_job(remote, dataset)).completes()
    [manifest] = remote.manifests().values()
    assert manifest["tools"]["zfs"] == zfs("version").splitlines()[0]


def test_large_and_compressed_blocks_are_sent_as_they_lie_on_disk(remote, dataset, tmp_path):
    zfs("set", "recordsize=1M", dataset.name)
    zfs("set", "compression=lz4", dataset.name)
    (dataset.folder / "compressible").write_bytes(b"the same again and again\n" * 400000)
    assert SEND == "send -L -c -e"
    with zfs_held(SEND):
        run = start_and_hold(zfs_job(remote, dataset), SEND)
    last = run.wait()
    assert last["State"] == "completed" and last["BytesDone"] < 4 << 20, last
    _, target = receive(remote, run, tmp_path)
    assert same_files(dataset.folder, POOLS / target)
    destroy(target)


def test_the_estimate_is_that_of_zfs(remote, dataset):
    run = holdfast.start(zfs_job(remote, dataset, limits={"bandwidth": "300K"}))
    run.moves(1)
    now = run.all()
    assert now["BytesTotalEstimated"], now
    last = run.wait()
    assert abs(last["BytesDone"] - now["BytesTotal"]) < 0.1 * last["BytesDone"], (now, last)


# --- bookmarks ----------------------------------------------------------------------------------------------------------------------

def test_a_bookmark_is_the_base(remote, dataset, tmp_path):
    job = zfs_job(remote, dataset, EVERY_RUN)
    first, first_fields = backed_up(remote, job)
    assert bases(dataset) == [first["Metadata"]["snapshotName"].replace("@", "#")], "no snapshot takes room on the pool"
    change(dataset, 1)
    second, second_fields = backed_up(remote, job)
    assert built_on(second, second_fields, first, first_fields)
    assert bases(dataset) == [second["Metadata"]["snapshotName"].replace("@", "#")]
    _, target = receive(remote, first, tmp_path)
    receive(remote, second, tmp_path, onto=target)
    assert same_files(dataset.folder, POOLS / target)
    destroy(target)


def test_bookmark_of_the_same_name_that_is_not_ours_stays(remote, dataset):
    job = zfs_job(remote, dataset, EVERY_RUN)
    first, _ = backed_up(remote, job)
    [base] = bases(dataset)
    zfs("destroy", base)
    zfs("bookmark", f"{dataset.name}@foreign", base)
    second, fields = backed_up(remote, job)
    assert sent_all(second, fields, "is not the one")
    assert sorted(bases(dataset)) == sorted([base, second["Metadata"]["snapshotName"].replace("@", "#")])


def test_recursive_streams_keep_the_snapshots(remote, dataset):
    zfs("create", f"{dataset.name}/child")
    job = zfs_job(remote, dataset, RECURSIVE)
    first, first_fields = backed_up(remote, job)
    assert bases(dataset) == [f"{dataset.name}{child}@{first_fields['snapshot']}" for child in ("/child", "")]
    second, second_fields = backed_up(remote, job)
    assert built_on(second, second_fields, first, first_fields)


def test_pool_that_is_too_old_for_bookmarks_keeps_the_snapshot(remote):
    disk = POOLS / "old.disk"
    holdfast.sh("truncate", "--size=128M", disk)
    holdfast.sh("zpool", "create", "-d", "-m", POOLS / "old", "old", disk)
    try:
        job = zfs_job(remote, type("Old", (), {"name": "old"}), EVERY_RUN)
        first, first_fields = backed_up(remote, job)
        second, second_fields = backed_up(remote, job)
        assert built_on(second, second_fields, first, first_fields)
        assert zfs("list", "-H", "-t", "all", "-o", "name", "-r", "old").split() == ["old", second["Metadata"]["snapshotName"]]
    finally:
        holdfast.sh("zpool", "destroy", "-f", "old")
        disk.unlink()
        (POOLS / "old").rmdir()


# --- encryption -----------------------------------------------------------------------------------------------------------------------

class Encrypted(Dataset):
    """Its key is loaded only while it is changed."""

    def __init__(self):
        KEY.write_bytes(os.urandom(32))
        self.name = f"tank/encrypted{next(numbers)}"
        self.folder = POOLS / self.name
        zfs("create", "-o", "encryption=aes-256-gcm", "-o", "keyformat=raw", "-o", f"keylocation=file://{KEY}", self.name)
        (self.folder / "secret").write_text("very\n" * 1000)
        self.lock()

    def lock(self):
        zfs("unmount", self.name)
        zfs("unload-key", self.name)

    def unlock(self):
        zfs("load-key", self.name)
        zfs("mount", self.name)


@pytest.fixture
def encrypted():
    dataset = Encrypted()
    yield dataset
    destroy(dataset.name)


def test_encrypted_chain_is_sent_raw_without_its_key(remote, encrypted, tmp_path):
    job = zfs_job(remote, encrypted, EVERY_RUN | {"raw": True})
    first, first_fields = backed_up(remote, job)
    encrypted.unlock()
    (encrypted.folder / "secret").write_text("most\n" * 2000)
    encrypted.lock()
    second, second_fields = backed_up(remote, job)
    assert built_on(second, second_fields, first, first_fields)
    assert second_fields["raw"] is True
    assert not any(b"most\nmost" in (remote.folder / name).read_bytes() for name in remote.files())

    _, target = receive(remote, first, tmp_path)
    receive(remote, second, tmp_path, onto=target)
    zfs("load-key", "-L", f"file://{KEY}", target)
    zfs("mount", target)
    assert (POOLS / target / "secret").read_text() == "most\n" * 2000
    destroy(target)


def test_encrypted_dataset_without_its_key_needs_raw(remote, encrypted):
    last = holdfast.start(zfs_job(remote, encrypted)).wait()
    assert last["State"] == "failed" and "set raw to true" in last["Error"], last
    assert nothing_there(remote) and encrypted.untouched()


def test_encrypted_datasets_are_sent_recursively_only_raw(remote, encrypted):
    last = holdfast.start(zfs_job(remote, encrypted, {"recursive": True})).wait()
    assert last["State"] == "failed" and "set raw to true" in last["Error"], last
    assert nothing_there(remote) and encrypted.untouched()
