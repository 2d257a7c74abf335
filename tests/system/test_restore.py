"""Restores of tar streams: the proof is a comparison of every byte with what was backed up, and after every failure that nothing
is left where the restore was to go."""
import io
import json
import os
import pathlib
import shutil
import tarfile

import backups
import faults
import holdfast
import pytest

TARGETS = pathlib.Path("/srv/tests/targets")


@pytest.fixture
def target():
    """A folder that is not there yet, in a folder with nothing else in it."""
    shutil.rmtree(TARGETS, ignore_errors=True)
    TARGETS.mkdir(parents=True)
    yield TARGETS / "restored"
    shutil.rmtree(TARGETS)


def nothing_restored():
    assert list(TARGETS.iterdir()) == []
    return True


def same(original, restored):
    holdfast.sh("diff", "--recursive", "--no-dereference", original, restored)
    return True


def fails(run, *words):
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "failed"), last
    for word in words:
        assert word in last["Error"], last["Error"]
    return True


# --- what is there ---------------------------------------------------------------------------------------------------------

def test_backups_are_listed_newest_first(remote, job):
    ids = [holdfast.start(job).wait()["Id"] for _ in range(2)]
    rows = backups.listed(remote)
    assert [row["Run"] for row in rows] == ids[::-1]
    row = rows[0]
    manifest = json.loads((remote.folder / "backups" / row["Manifest"]).read_text())
    assert (row["Job"], row["Source"], row["Format"], row["Error"]) == (job, "flash", "tar", "")
    assert (row["Size"], row["StartedAt"], row["Host"]) == (manifest["objects"][0]["size"], manifest["startedAt"], manifest["host"])
    assert (row["FullRun"], row["Depth"]) == (row["Run"], 0)


def test_list_can_be_chosen_from_and_paged(remote, job):
    ids = [holdfast.start(job).wait()["Id"] for _ in range(3)]
    limited = backups.listed(remote, limit=("t", 1), offset=("t", 1))
    assert [row["Run"] for row in limited] == [ids[1]]
    assert [row["Run"] for row in backups.listed(remote, run=("s", ids[0][:8]))] == [ids[0]]
    assert backups.listed(remote, job=("s", "another")) == []
    assert backups.listed(remote, path="nowhere") == []


def test_broken_manifests_are_named_and_keep_no_other_from_being_listed(remote, job):
    run = holdfast.start(job).wait()
    folder = remote.folder / "backups"
    [good] = folder.glob("*.manifest.json")
    newer = json.loads(good.read_text()) | {"version": 2}
    (folder / f"{job}-20260101T000000Z-11111111.tar.manifest.json").write_text(json.dumps(newer))
    (folder / f"{job}-20260101T000000Z-22222222.tar.manifest.json").write_text(good.read_text()[:100])
    (folder / "foreign.manifest.json").write_text('{"name": "a web app", "icons": []}')
    (folder / f"{job}-20260101T000000Z-33333333.tar.manifest.json").write_text(good.read_text())
    with (folder / "large.manifest.json").open("wb") as file:
        file.truncate(2 << 20)
    rows = {row["Manifest"]: row for row in backups.listed(remote)}
    assert rows.pop(good.name)["Error"] == "" and rows.keys() == {f.name for f in folder.glob("*.manifest.json")} - {good.name}
    errors = {name.split("-")[-1].split(".")[0]: row["Error"] for name, row in rows.items()}
    assert "version 2" in errors["11111111"] and "Use a newer one" in errors["11111111"]
    assert "not a manifest" in errors["22222222"] and "not a manifest" in errors["foreign"]
    assert "swapped or renamed" in errors["33333333"] and run["Id"] in errors["33333333"]
    assert "too large" in errors["large"]


def test_remote_that_is_not_configured_is_refused(remote):
    for name in ("nowhere", ":local", "/srv"):
        with pytest.raises(holdfast.BusError) as refused:
            holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListBackups", "(ssa{sv})", name, "", {})
        assert refused.value.name == "org.holdfast1.Error.NoSuchRemote"


def test_who_may_not_restore_may_not_list(remote):
    for method, arguments in (("ListBackups", ()), ("Restore", ("0123abcd", "/srv/x")), ("Verify", ("0123abcd",))):
        error, _ = holdfast.call_as("alice", holdfast.ROOT, holdfast.MANAGER, method, remote.name, "backups", *arguments, "{}")
        assert error == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", method


# --- a restore --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("config", [{}, {"compressionLevel": 3}], ids=["plain", "zstd"])
def test_restores_every_byte(remote, repository, target, config):
    document = holdfast.flash_job("restored", remote, repository)
    document["preprocessConfig"]["flash"] |= config
    holdfast.create_job(document)
    backup = holdfast.start("restored").wait()
    before = holdfast.git(repository, "rev-parse", "HEAD")
    last = backups.restore(remote, backup["Id"], target).wait()
    assert (last["State"], last["Result"], last["Error"]) == ("completed", "done", ""), last
    assert (last["Kind"], last["Job"], last["OutputPath"]) == ("restore", "restored", str(target))
    assert last["BytesDone"] == last["BytesTotal"] == (remote.folder / backup["OutputPath"].split(":")[1]).stat().st_size
    assert same(repository / ".git", target / ".git")
    assert holdfast.git(target, "rev-parse", "HEAD") == before and holdfast.git(target, "fsck", "--strict") == ""
    assert [f.name for f in TARGETS.iterdir()] == ["restored"]


def test_restores_where_history_and_jobs_are_lost(remote, repository, job, target):
    backup = holdfast.start(job).wait()
    holdfast.sh("systemctl", "stop", "holdfast.service")
    for lost in (holdfast.STATE, holdfast.CONFIG / "jobs"):
        shutil.rmtree(lost)
        lost.mkdir(mode=0o700)
    holdfast.sh("systemctl", "start", "holdfast.service")
    [row] = backups.listed(remote)
    last = backups.restore(remote, row["Run"][:8], target).wait()
    assert last["State"] == "completed" and row["Run"] == backup["Id"]
    assert same(repository / ".git", target / ".git")


def test_restores_chosen_paths(remote, repository, job, target):
    backup = holdfast.start(job).wait()
    backups.restore(remote, backup["Id"], target, paths=("as", [".git/HEAD", ".git/refs"])).completes()
    assert sorted(f.name for f in (target / ".git").iterdir()) == ["HEAD", "refs"]
    assert same(repository / ".git/refs", target / ".git/refs")


def test_path_that_is_not_in_the_backup_is_named(remote, job, target):
    backup = holdfast.start(job).wait()
    assert fails(backups.restore(remote, backup["Id"], target, paths=("as", [".git/HEAD", "no/such"])), "no/such")
    assert nothing_restored()


def test_empty_folder_is_a_target(remote, repository, job, target):
    backup = holdfast.start(job).wait()
    target.mkdir()
    backups.restore(remote, backup["Id"], target).completes()
    assert same(repository / ".git", target / ".git")


def test_what_is_at_the_target_is_left_alone(remote, job, target):
    backup = holdfast.start(job).wait()
    target.mkdir()
    (target / "precious").write_text("precious")
    assert fails(backups.restore(remote, backup["Id"], target), "not empty", str(target))
    assert [f.name for f in target.iterdir()] == ["precious"] and [f.name for f in TARGETS.iterdir()] == ["restored"]


def test_force_sets_aside_what_is_at_the_target(remote, repository, job, target):
    backup = holdfast.start(job).wait()
    target.mkdir()
    (target / "precious").write_text("precious")
    last = backups.restore(remote, backup["Id"], target, force=("b", True)).wait()
    assert last["State"] == "completed", last
    assert same(repository / ".git", target / ".git") and not (target / "precious").exists()
    assert pathlib.Path(last["Metadata"]["setAside"], "precious").read_text() == "precious"


@pytest.mark.parametrize("where", ["relative", "/", "/srv/../etc", "/srv/x/", "tank/x"])
def test_target_that_is_no_folder_is_refused(remote, job, where):
    backup = holdfast.start(job).wait()
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, backup["Id"], where)
    assert refused.value.name == "org.freedesktop.DBus.Error.InvalidArgs"


def test_backup_that_is_not_there_is_refused(remote, job, target):
    holdfast.start(job).wait()
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, "0123456789abcdef", target)
    assert refused.value.name == "org.holdfast1.Error.NoSuchBackup"


def test_target_without_a_parent_is_named(remote, job, target):
    backup = holdfast.start(job).wait()
    assert fails(backups.restore(remote, backup["Id"], target / "deeper"), f"There is no folder {target}")


# --- damage -----------------------------------------------------------------------------------------------------------------

DAMAGE = {
    "bit": (backups.flip_a_bit, "SHA-256"),
    "truncated": (backups.truncate, "bytes, but its manifest says"),
    "longer": (backups.lengthen, "bytes, but its manifest says"),
    "missing": (lambda remote, name: os.remove(remote.folder / name), "missing"),
}


@pytest.mark.parametrize("damage, words", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_object_is_not_restored(remote, job, target, damage, words):
    backup = holdfast.start(job).wait()
    [name] = remote.objects()
    damage(remote, name)
    assert fails(backups.restore(remote, backup["Id"], target), words, name)
    assert nothing_restored()


def test_damage_is_found_before_what_is_there_is_touched(remote, job, target):
    backup = holdfast.start(job).wait()
    backups.flip_a_bit(remote, remote.objects()[0])
    target.mkdir()
    (target / "precious").write_text("precious")
    assert fails(backups.restore(remote, backup["Id"], target, force=("b", True)), "SHA-256")
    assert (target / "precious").read_text() == "precious" and [f.name for f in TARGETS.iterdir()] == ["restored"]


def test_damage_inside_what_is_compressed_is_found(remote, repository, target):
    document = holdfast.flash_job("packed", remote, repository)
    document["preprocessConfig"]["flash"]["compressionLevel"] = 3
    holdfast.create_job(document)
    backup = holdfast.start("packed").wait()
    backups.flip_a_bit(remote, remote.objects()[0])
    assert fails(backups.restore(remote, backup["Id"], target), "is damaged", remote.objects()[0])
    assert nothing_restored()


def test_swapped_manifest_is_refused(remote, job, target):
    first, second = (holdfast.start(job).wait() for _ in range(2))
    paths = [remote.folder / (run["OutputPath"].split(":")[1] + ".manifest.json") for run in (first, second)]
    texts = [path.read_text() for path in paths]
    paths[0].write_text(texts[1])
    paths[1].write_text(texts[0])
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, first["Id"], target)
    assert "swapped or renamed" in refused.value.message
    assert nothing_restored()


def test_manifest_of_a_newer_version_is_refused(remote, job, target):
    backup = holdfast.start(job).wait()
    [manifest] = (remote.folder / "backups").glob("*.manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, backup["Id"], target)
    assert "version 2" in refused.value.message and nothing_restored()


# --- hostile archives -------------------------------------------------------------------------------------------------------

def member(name, content=b"evil", **fields):
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    info.size = len(content) if info.isreg() else 0
    return info, io.BytesIO(content)


HOSTILE = {
    "climbs": [member("../climbed")],
    "climbs-inside": [member("a/../../climbed")],
    "absolute": [member("/srv/tests/targets/climbed")],
    "through-a-symlink": [member("out", type=tarfile.SYMTYPE, linkname="/srv/tests/targets"), member("out/climbed")],
    "through-a-climbing-symlink": [member("out", type=tarfile.SYMTYPE, linkname=".."), member("out/climbed")],
    "over-a-symlink": [member("out", type=tarfile.SYMTYPE, linkname="../climbed"), member("out")],
    "hard-link": [member("out", type=tarfile.LNKTYPE, linkname="../victim"), member("out")],
    "absolute-hard-link": [member("out", type=tarfile.LNKTYPE, linkname="/srv/tests/targets/victim"), member("out")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_cannot_leave_the_target(remote, job, target, members):
    backup = holdfast.start(job).wait()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, content)
    backups.replace_content(remote, remote.objects()[0], archive.getvalue())
    (TARGETS / "victim").write_text("victim")
    last = backups.restore(remote, backup["Id"], target).wait()
    assert (TARGETS / "victim").read_text() == "victim" and not (TARGETS / "climbed").exists()
    # What is harmless once tar has taken the sting out of it comes back; all else is refused whole.
    assert {f.name for f in TARGETS.iterdir()} == {"victim"} | ({"restored"} if last["State"] == "completed" else set())


def test_nothing_beside_the_target_can_be_written(remote, job, target):
    """What the sandbox adds, were tar to fail: a stand-in for it tries to write elsewhere."""
    backup = holdfast.start(job).wait()
    with faults.replaced("tar", "touch /etc/escaped /usr/escaped /home/escaped /srv/tests/escaped 2>&1; cat >/dev/null; exit 3\n"):
        assert fails(backups.restore(remote, backup["Id"], target), "exited with status 3")
    assert [folder for folder in ("/etc", "/usr", "/home", "/srv/tests") if pathlib.Path(folder, "escaped").exists()] == []


# --- what dies ----------------------------------------------------------------------------------------------------------------

@pytest.fixture
def slow(remote):
    """A restore of 8 MiB at 1 MiB/s, under way."""
    repository = holdfast.make_repository("/srv/tests/slow-restore", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("slow-restore", remote, repository))
    backup = holdfast.start("slow-restore").wait()
    assert backup["State"] == "completed"
    yield lambda target, **options: backups.restore(remote, backup["Id"], target, **options)
    holdfast.sh("rm", "-r", repository)


@pytest.fixture
def one_megabyte_a_second():
    settings = holdfast.CONFIG / "holdfast.json"
    settings.write_text('{"maxTotalBandwidth": 1048576}')
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})
    yield
    settings.unlink()
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


def test_worker_that_is_killed_leaves_nothing(slow, target, one_megabyte_a_second):
    run = slow(target)
    run.moves(1 << 20)
    faults.kill_worker(run)
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "interrupted")
    assert nothing_restored()


def test_restore_can_be_cancelled(slow, target, one_megabyte_a_second):
    run = slow(target)
    run.moves(1 << 20)
    assert run["Phase"] == "restoring" and run["BytesTotal"] > 8 << 20
    run.cancel()
    assert run.wait()["Result"] == "cancelled"
    assert nothing_restored()


def test_rclone_that_is_killed_is_started_afresh(slow, target, one_megabyte_a_second):
    run = slow(target)
    run.moves(1 << 20)
    faults.kill_child(run, "rclone")
    last = run.wait()
    assert (last["State"], last["Attempt"]) == ("completed", 2), last
    assert holdfast.git(target, "fsck", "--strict") == ""


def test_target_that_fills_up(slow, target):
    with faults.mounted(TARGETS, "size=4M"):
        assert fails(slow(target), "No space left on device")
        assert nothing_restored()


def test_something_that_appears_at_the_target_is_left_alone(slow, target, one_megabyte_a_second):
    run = slow(target)
    run.moves(1 << 20)
    target.mkdir()
    (target / "new").write_text("new")
    assert fails(run, "while the backup was fetched")
    assert [f.name for f in target.iterdir()] == ["new"] and [f.name for f in TARGETS.iterdir()] == ["restored"]
