"""Backups to remotes behind real servers: to it and back, byte for byte."""
import pathlib
import shutil

import backups
import holdfast
import pytest
import servers

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
    backup = holdfast.start("there-and-back").wait()
    assert (backup["State"], backup["Error"]) == ("completed", ""), backup
    [row] = backups.listed(remote, path)
    assert (row["Run"], row["Error"]) == (backup["Id"], "")
    for deep in (False, True):
        last = backups.verify(remote, backup["Id"], path, deep=("b", deep)).wait()
        assert (last["State"], last["Error"]) == ("completed", ""), last
    last = backups.restore(remote, backup["Id"], target, path).wait()
    assert (last["State"], last["Error"]) == ("completed", ""), last
    holdfast.sh("diff", "--recursive", "--no-dereference", repository / ".git", target / ".git")


def test_files_there_and_back(served, target):
    remote, path = served
    source = pathlib.Path("/srv/tests/files-there")
    (source / "sub").mkdir(parents=True)
    for name in ("a", "sub/b", "ümlaut", "with space"):
        (source / name).write_text(name * 1000)
    try:
        holdfast.create_job({"name": "files", "remoteName": remote.name, "destinationPath": path, "sourcePath": str(source), "layout": "versions"})
        backup = holdfast.start("files").wait()
        assert (backup["State"], backup["Error"]) == ("completed", ""), backup
        last = backups.restore(remote, backup["Id"], target, path).wait()
        assert (last["State"], last["Error"]) == ("completed", ""), last
        holdfast.sh("diff", "--recursive", source, target)
    finally:
        shutil.rmtree(source)
