"""Restores of what was copied (plain files, a script's output): what comes back, and after every failure that nothing is left where
it was to go."""
import os
import pathlib
import shutil
import stat

import backups
import faults
import holdfast
import pytest
import servers
from test_plain import large, make_tree, plain_job, same, tree  # noqa: F401
from test_restore import TARGETS, fails, nothing_restored, one_megabyte_a_second, target  # noqa: F401
from test_script import folder, script_job, write_script  # noqa: F401

VERSIONS = {"layout": "versions"}


def names(root):
    return sorted(str(f.relative_to(root)) for f in root.rglob("*"))


# --- what comes back ----------------------------------------------------------------------------------------------------------------

def test_mirror_comes_back_without_what_the_source_no_longer_had(remote, tree, target):  # noqa: F811
    job = plain_job("mirrored", remote)
    holdfast.start(job).completes()
    (tree / "file-0").unlink()
    (tree / "file-1").write_text("changed")
    backup, _ = holdfast.run_to_the_end(job)
    assert (remote.folder / "copies/file-0").exists(), "nothing is deleted at the destination"
    last = backups.restore(remote, backup.id, target, "copies").completes()
    assert same(tree, target) and names(target) == ["file-1", "file-2"]
    assert last["Metadata"]["filesDone"] == last["Metadata"]["filesTotal"] == 2


@pytest.mark.parametrize("layout", ["mirror", "versions"])
def test_chosen_paths_come_back_and_no_other(remote, tree, target, layout):  # noqa: F811
    for name in ("deep/er/one", "deep/er/two", "deeper", "with space/x", "[odd]*"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    backup, _ = holdfast.run_to_the_end(plain_job("chosen", remote, layout=layout))
    backups.restore(remote, backup.id, target, "copies", paths=("as", ["deep", "with space/x", "[odd]*"])).completes()
    assert names(target) == ["[odd]*", "deep", "deep/er", "deep/er/one", "deep/er/two", "with space", "with space/x"]
    assert all((target / name).read_bytes() == (tree / name).read_bytes() for name in names(target) if (target / name).is_file())


def test_path_that_is_not_in_the_copy_is_named(remote, tree, target):  # noqa: F811
    backup, _ = holdfast.run_to_the_end(plain_job("named", remote, **VERSIONS))
    assert fails(backups.restore(remote, backup.id, target, "copies", paths=("as", ["file-0", "no/such"])), "There is no no/such")
    assert nothing_restored()


def test_links_and_metadata_come_back(remote, tree, target):  # noqa: F811
    (tree / "link").symlink_to("file-0")
    (tree / "outside").symlink_to("/etc/hostname")
    (tree / "file-0").chmod(0o751)
    os.chown(tree / "file-1", 4711, 4712)
    os.setxattr(tree / "file-2", "user.colour", b"blue")
    os.utime(tree / "file-2", ns=(10**18, 1234567890123456789))
    victim = pathlib.Path("/srv/tests/victim")
    victim.write_text("not of the backup")
    victim.chmod(0o640)
    (tree / "victim").symlink_to(victim)
    backup, _ = holdfast.run_to_the_end(plain_job("special", remote, rcloneOptions={"links": True, "metadata": True}, **VERSIONS))
    backups.restore(remote, backup.id, target, "copies").completes()
    assert os.readlink(target / "link") == "file-0" and os.readlink(target / "outside") == "/etc/hostname"
    owner = (target / "file-1").stat()
    assert (owner.st_uid, owner.st_gid) == (4711, 4712)
    assert stat.S_IMODE((target / "file-0").stat().st_mode) == stat.S_IMODE((tree / "file-0").stat().st_mode)
    assert os.getxattr(target / "file-2", "user.colour") == b"blue"
    assert (target / "file-2").stat().st_mtime_ns == 1234567890123456789
    assert same(tree, target)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o640, "what a link points to is no business of ours"
    victim.unlink()


def test_filters_hold_for_what_comes_back(remote, tree, target):  # noqa: F811
    (tree / "left.tmp").write_text("left out")
    backup, _ = holdfast.run_to_the_end(plain_job("filtered", remote, rcloneOptions={"exclude": ["*.tmp"]}, **VERSIONS))
    backups.restore(remote, backup.id, target, "copies").completes()
    assert names(target) == ["file-0", "file-1", "file-2"]


def test_output_of_a_script_comes_back(remote, target):  # noqa: F811
    body = "echo dump >$HOLDFAST_OUTPUT_DIR/dump; mkdir $HOLDFAST_OUTPUT_DIR/sub; seq 1000 >$HOLDFAST_OUTPUT_DIR/sub/numbers"
    backup = holdfast.start(script_job(remote, write_script(body)))
    backup.completes()
    backups.restore(remote, backup.id, target).completes()
    assert names(target) == ["dump", "sub", "sub/numbers"] and (target / "dump").read_text() == "dump\n"
    assert (target / "sub/numbers").read_text().split() == [str(n) for n in range(1, 1001)]


@pytest.mark.parametrize("kind", servers.SERVERS)
def test_mirror_and_output_of_a_script_come_back_from_a_server(kind, tree, target):  # noqa: F811
    if program := servers.missing(kind):
        pytest.skip(f"{program} is not installed")
    with servers.served(kind) as (remote, path):
        job = plain_job("served", remote, destinationPath=f"{path}/mirror")
        holdfast.start(job).completes()
        (tree / "file-0").unlink()
        backup, _ = holdfast.run_to_the_end(job)
        backups.restore(remote, backup.id, target, f"{path}/mirror").completes()
        assert same(tree, target)
        shutil.rmtree(target)
        script = holdfast.start(script_job(remote, write_script("seq 1000 >$HOLDFAST_OUTPUT_DIR/numbers"), destinationPath=f"{path}/script"))
        script.completes()
        backups.restore(remote, script.id, target, f"{path}/script").completes()
        assert (target / "numbers").read_text().split() == [str(n) for n in range(1, 1001)]


# --- damage -----------------------------------------------------------------------------------------------------------------------------

def change(folder):  # noqa: F811
    (folder / "file-1").write_bytes(os.urandom((folder / "file-1").stat().st_size))


DAMAGE = {
    "changed": (change, ["file-1 has other content"]),
    "shorter": (lambda folder: os.truncate(folder / "file-1", 10), ["file-1 has 10 bytes"]),
    "missing": (lambda folder: (folder / "file-1").unlink(), ["file-1 is missing"]),
    "extra": (lambda folder: (folder / "evil").write_text("evil"), ["not of the backup", "evil"]),
}


@pytest.mark.parametrize("damage, words", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("force", [False, True], ids=["new", "over"])
def test_damaged_copy_is_named_and_nothing_is_restored(remote, tree, target, damage, words, force):  # noqa: F811
    backup, last = holdfast.run_to_the_end(plain_job("damaged", remote, **VERSIONS))
    damage(remote.folder / last["OutputPath"].split(":")[1])
    if force:
        target.mkdir()
        (target / "precious").write_text("precious")
    assert fails(backups.restore(remote, backup.id, target, "copies", force=("b", force)), *words)
    assert names(TARGETS) == (["restored", "restored/precious"] if force else [])


def test_what_is_whole_of_a_damaged_copy_comes_back_by_its_path(remote, tree, target):  # noqa: F811
    backup, last = holdfast.run_to_the_end(plain_job("partly", remote, **VERSIONS))
    lies = remote.folder / last["OutputPath"].split(":")[1]
    change(lies)
    (lies / "evil").write_text("evil")
    backups.restore(remote, backup.id, target, "copies", paths=("as", ["file-0", "file-2"])).completes()
    assert names(target) == ["file-0", "file-2"]


@pytest.mark.parametrize("damage, words", [(lambda f: f.write_bytes(f.read_bytes()[:-1] + b"x"), "is damaged"),
                                           (pathlib.Path.unlink, "missing")], ids=["changed", "missing"])
def test_list_of_the_files_is_vouched_for(remote, tree, target, damage, words):  # noqa: F811
    backup, _ = holdfast.run_to_the_end(plain_job("listed", remote, **VERSIONS))
    [listed] = (remote.folder / "copies").glob("*.files.jsonl")
    damage(listed)
    assert fails(backups.restore(remote, backup.id, target, "copies"), words, listed.name)
    assert nothing_restored()


# --- no room, and what dies ---------------------------------------------------------------------------------------------------------------

def test_target_that_fills_up(remote, large, target):  # noqa: F811
    backup, _ = holdfast.run_to_the_end(plain_job("large", remote, **VERSIONS))
    with faults.mounted(TARGETS, "size=5M"):
        assert fails(backups.restore(remote, backup.id, target, "copies"), "file too big for remaining disk space")
        assert nothing_restored()


@pytest.mark.parametrize("end, result", [(faults.kill_worker, "interrupted"), (holdfast.Run.cancel, "cancelled")], ids=["killed", "cancelled"])
def test_restore_that_is_cut_off_leaves_what_was_there(remote, large, target, one_megabyte_a_second, end, result):  # noqa: F811
    document = {"name": "cut", "remoteName": remote.name, "destinationPath": "copies", "sourcePath": str(large)} | VERSIONS
    holdfast.create_job(document)
    backup = holdfast.start("cut")
    backup.completes()
    target.mkdir()
    (target / "precious").write_text("precious")
    run = backups.restore(remote, backup.id, target, "copies", force=("b", True))
    run.moves(2 << 20)
    end(run)
    assert run.wait()["Result"] == result
    assert names(TARGETS) == ["restored", "restored/precious"]
