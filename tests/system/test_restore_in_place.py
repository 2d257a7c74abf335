"""Chosen paths that are brought back in place: nothing else is touched, and what is replaced is kept."""
import os
import pathlib
import shutil

import backups
import holdfast
import pytest
from test_plain import plain_job, tree  # noqa: F401
from test_restore import TARGETS, fails, target  # noqa: F401


@pytest.fixture
def documents(remote, tree, target):  # noqa: F811
    """A folder that was backed up, and has changed since. Returns what restores from the backup to a target."""
    (tree / "sub").mkdir()
    (tree / "sub/deep").write_text("deep")
    backup, _ = holdfast.run_to_the_end(plain_job("documents", remote))
    shutil.copytree(tree, target)
    (target / "file-0").write_text("spoiled")
    (target / "sub/deep").write_text("spoiled")
    (target / "sub/own").write_text("own")
    os.chmod(target, 0o751)
    os.chown(target, 4711, 4711)
    return lambda where, *paths, **options: backups.restore(remote, backup.id, where, "copies", paths=("as", list(paths)), **options)


def names(root):
    return sorted(str(f.relative_to(root)) for f in root.rglob("*"))


@pytest.mark.parametrize("options", [{}, {"force": ("b", True)}], ids=["plain", "force"])
def test_files_come_back_in_place_and_what_they_replace_is_kept(documents, tree, target, options):  # noqa: F811
    (target / "file-1").unlink()
    before = names(target)
    run = documents(target, "file-0", "file-1", "sub", **options)
    last = run.completes()
    kept = f".before-{run.id[:8]}"
    for name in ("file-0", "file-1", "sub/deep"):
        assert (target / name).read_bytes() == (tree / name).read_bytes()
    assert (target / f"file-0{kept}").read_text() == (target / f"sub/deep{kept}").read_text() == "spoiled"
    assert names(target) == sorted([*before, "file-1", f"file-0{kept}", f"sub/deep{kept}"])
    assert (target.stat().st_mode & 0o7777, target.stat().st_uid) == (0o751, 4711)
    assert str(target / f"file-0{kept}") in last["Metadata"]["setAside"]
    assert [f.name for f in TARGETS.iterdir()] == ["restored"]


def test_members_of_an_archive_come_back_in_place(remote, repository, job, target):  # noqa: F811
    backup = holdfast.start(job).completes()
    shutil.copytree(repository, target)
    (target / ".git/HEAD").unlink()
    backups.restore(remote, backup["Id"], target, paths=("as", [".git/HEAD"])).completes()
    assert (target / ".git/HEAD").read_bytes() == (repository / ".git/HEAD").read_bytes()
    assert holdfast.git(target, "fsck", "--strict") == ""


def test_file_may_be_the_target(documents, tree, target):  # noqa: F811
    run = documents(target / "file-0", "file-0")
    run.completes()
    assert (target / "file-0").read_bytes() == (tree / "file-0").read_bytes()
    assert (target / f"file-0.before-{run.id[:8]}").read_text() == "spoiled"
    (target / "sub/deep").unlink()
    documents(target / "sub/deep", "sub/deep").completes()
    assert (target / "sub/deep").read_text() == "deep"
    assert fails(documents(target / "file-0", "sub"), "is a file")


def test_path_that_is_not_there_touches_nothing(remote, documents, repository, job, target):  # noqa: F811
    before = names(target)
    assert fails(documents(target, "file-0", "no/such"), "There is no no/such in this backup")
    backup = holdfast.start(job).completes()
    assert fails(backups.restore(remote, backup["Id"], target, paths=("as", ["no/such"])), "There is no no/such in this backup.")
    assert names(target) == before and (target / "file-0").read_text() == "spoiled"


def test_command_line_takes_paths_as_people_type_them(remote, job, target):  # noqa: F811
    holdfast.start(job).completes()
    for typed, where in (("restored/", "restored"), ("./other", "other"), ("third", "third"), (f"{TARGETS}/fourth/", "fourth")):
        holdfast.sh("holdfastctl", "restore", job, typed, "--follow", cwd=TARGETS)
        assert (TARGETS / where / ".git/HEAD").exists()
    (TARGETS / "sub").mkdir()
    holdfast.sh("holdfastctl", "restore", job, "sub/fifth", "--follow", cwd=TARGETS)
    assert (TARGETS / "sub/fifth/.git/HEAD").exists()


def test_command_line_refuses_in_its_own_words(job, target):  # noqa: F811
    holdfast.start(job).completes()
    refused = holdfast.sh("holdfastctl", "restore", job, target, "--only", "/.git/HEAD", check=False)
    assert refused.returncode != 0 and "is not a path inside a backup" in refused.stderr and '"paths"' not in refused.stderr
    assert not pathlib.Path(target).exists()
