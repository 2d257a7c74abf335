"""Backups to remotes behind real servers: to it and back, byte for byte."""
import pathlib
import shutil

import backups
import holdfast
import pytest
import servers
import zpools
from test_docker import docker_job, engine, fill, listing, real  # noqa: F401
from test_script import script_job, write_script
from zpools import POOLS, dataset, destroy, pools, same_files, zfs, zfs_job  # noqa: F401

ENGINE = "podman"
TARGETS = pathlib.Path("/srv/tests/targets")


@pytest.fixture(params=servers.SERVERS)
def served(request):
    if program := servers.missing(request.param):
        pytest.skip(f"{program} is not installed")
    with servers.served(request.param) as remote:
        yield remote


@pytest.fixture
def target():
    TARGETS.mkdir(parents=True)
    yield TARGETS / "restored"
    shutil.rmtree(TARGETS)


def test_there_and_back(served, repository, target):
    remote, path = served
    holdfast.create_job(holdfast.flash_job("there-and-back", remote, repository, destinationPath=path))
    backup = holdfast.start("there-and-back").completes()
    [row] = backups.listed(remote, path)
    assert (row["Run"], row["Error"]) == (backup["Id"], "")
    for deep in (False, True):
        backups.verify(remote, backup["Id"], path, deep=("b", deep)).completes()
    backups.restore(remote, backup["Id"], target, path).completes()
    holdfast.sh("diff", "--recursive", "--no-dereference", repository / ".git", target / ".git")


def test_files_there_and_back(served, target):
    remote, path = served
    source = pathlib.Path("/srv/tests/files-there")
    (source / "sub").mkdir(parents=True)
    for name in ("a", "sub/b", "ümlaut", "with space"):
        (source / name).write_text(name * 1000)
    try:
        holdfast.create_job({"name": "files", "remoteName": remote.name, "destinationPath": path, "sourcePath": str(source), "layout": "versions"})
        backup = holdfast.start("files").completes()
        backups.restore(remote, backup["Id"], target, path).completes()
        holdfast.sh("diff", "--recursive", source, target)
    finally:
        shutil.rmtree(source)


def test_script_there_and_back(served, target):
    remote, path = served
    script = write_script("mkdir $HOLDFAST_OUTPUT_DIR/sub; echo dump >$HOLDFAST_OUTPUT_DIR/sub/dump", path="/srv/tests/dump.sh")
    backup = holdfast.start(script_job(remote, script, destinationPath=path)).completes()
    backups.restore(remote, backup["Id"], target, path).completes()
    assert [(str(f.relative_to(target)), f.read_text()) for f in target.rglob("*") if f.is_file()] == [("sub/dump", "dump\n")]


@pytest.mark.skipif(not zpools.KERNEL and not pathlib.Path("/dev/fuse").exists(), reason="there is neither OpenZFS nor /dev/fuse here")
def test_zfs_chain_there_and_back(served, dataset):  # noqa: F811
    remote, path = served
    job = zfs_job(remote, dataset, {"incremental": {"enabled": True}}, destinationPath=path)
    holdfast.start(job).completes()
    (dataset.folder / "second").write_text("second")
    newest = holdfast.start(job).completes()
    assert sorted(row["Depth"] for row in backups.listed(remote, path)) == [0, 1]
    backups.restore(remote, newest["Id"], "copy/there-and-back", path).completes()
    try:
        zfs("mount", "copy/there-and-back")
        assert same_files(dataset.folder, POOLS / "copy/there-and-back")
    finally:
        destroy("copy/there-and-back")
        (holdfast.STATE / "bases" / f"{job}.json").unlink()


def test_volume_there_and_back(served, engine):  # noqa: F811
    remote, path = served
    volume = engine.volume()
    fill(engine.folder(volume))
    container = engine.run("-v", f"{volume}:/data")
    before = listing(engine.folder(volume))
    backup = holdfast.start(docker_job(remote, engine, {"containerName": container}, destinationPath=path)).completes()
    (engine.folder(volume) / "text").unlink()
    backups.restore(remote, backup["Id"], "", path, intoVolumes=("b", True), force=("b", True),
                    engineSocket=("s", str(engine.socket))).completes()
    assert listing(engine.folder(volume)) == before and engine.runs(container)
