"""Restores into the volumes of containers: every file afterwards, what the containers did meanwhile, and after every failure or
cut the old content whole. Podman here, Docker in test_restore_volumes_docker.py."""
import io
import json
import os
import pathlib
import tarfile

import backups
import faults
import holdfast
import pytest
from test_docker import Busy, between, docker_job, engine, fill, listing, real, runs_again  # noqa: F401
from test_restore import fails, one_megabyte_a_second  # noqa: F401
from test_restore_held import came, configuration, exchanging, hers  # noqa: F401

ENGINE = "podman"


def into_volumes(remote, backup, engine, *volumes, **options):  # noqa: F811
    socket = getattr(engine, "path", None) or engine.socket
    options |= {"intoVolumes": ("b", True), "engineSocket": ("s", str(socket))}
    if volumes:
        options["volumes"] = ("as", list(volumes))
    return backups.restore(remote, backup, "", **options)


def force():
    return {"force": ("b", True)}


def beside(engine, volume):  # noqa: F811
    """What lies where the volume's folder does."""
    return sorted(f.name for f in engine.folder(volume).parent.iterdir() if f.name != "opts.json")


@pytest.fixture
def spoiled(engine, remote):  # noqa: F811
    """A volume with a container that was backed up, and has another content since."""
    return Spoiled(engine, remote)


class Spoiled:
    def __init__(self, engine, remote, megabytes=1):  # noqa: F811
        self.volume = engine.volume()
        self.folder = engine.folder(self.volume)
        fill(self.folder, megabytes)
        self.container = engine.run("-v", f"{self.volume}:/data")
        self.good = listing(self.folder)   # Podman gives a new volume's folder to the container's user
        self.backup = holdfast.start(docker_job(remote, engine, {"containerName": self.container}))
        self.backup.completes()
        (self.folder / "text").unlink()
        (self.folder / "new").write_text("new")
        self.bad = listing(self.folder)
        self.began = engine.state(self.container)["StartedAt"]


def test_everything_comes_back(engine, remote):  # noqa: F811
    one, two = engine.volume(), engine.volume()
    for volume in (one, two):
        fill(engine.folder(volume))
    user, reader = engine.run("-v", f"{one}:/one", "-v", f"{two}:/two"), engine.run("-v", f"{one}:/data:ro")
    stranger = engine.run("-v", f"{engine.volume()}:/data")
    before = {volume: listing(engine.folder(volume)) for volume in (one, two)}
    backup = holdfast.start(docker_job(remote, engine, {"containerName": user}))
    backup.completes()
    (engine.folder(one) / "text").write_text("changed")
    (engine.folder(two) / "sub/random").unlink()
    spoiled = {volume: listing(engine.folder(volume)) for volume in (one, two)}
    began = {name: engine.state(name)["StartedAt"] for name in (user, reader, stranger)}

    last = into_volumes(remote, backup.id, engine, **force()).completes()
    for volume in (one, two):
        assert listing(engine.folder(volume)) == before[volume]
        aside = engine.folder(volume).parent / f"_data.before-{last['Id'][:8]}"
        assert listing(aside) == spoiled[volume] and str(aside) in last["Metadata"]["setAside"]
        assert beside(engine, volume) == ["_data", aside.name]
    assert sorted(last["Metadata"]["restoredTo"].split(", ")) == sorted([one, two])
    for name in (user, reader, stranger):
        assert engine.runs(name) and (engine.state(name)["StartedAt"] == began[name]) == (name == stranger)
    seen = pathlib.Path(f"/proc/{engine.state(user)['Pid']}/root/one/text")
    assert seen.read_text().startswith("text"), "the container sees what came back"


def test_owner_of_what_a_volume_lies_in_cannot_lead_a_restore_elsewhere(engine, remote, hers, exchanging):  # noqa: F811
    folder = hers / "volume"
    folder.mkdir()
    fill(folder)
    volume = engine.volume("--opt=type=none", "--opt=o=bind", f"--opt=device={folder}")
    backup = holdfast.start(docker_job(remote, engine, {"volumeName": [volume]}))
    backup.completes()
    before, mine = configuration(), listing(folder)
    last = into_volumes(remote, backup.id, engine, **force()).wait()
    assert exchanging() and configuration() == before and listing(folder) == mine
    assert came(last) or pathlib.Path(hers / "gone").stat().st_mode & 0o7777 == 0o700


def test_one_volume_into_another(engine, remote):  # noqa: F811
    kept, copied, empty = (engine.volume() for _ in range(3))
    for volume in (kept, copied):
        fill(engine.folder(volume))
    container, user = engine.run("-v", f"{copied}:/data"), engine.run("-v", f"{empty}:/data")
    before, untouched = listing(engine.folder(copied)), listing(engine.folder(kept))
    backup = holdfast.start(docker_job(remote, engine, {"volumeName": [kept, copied]}))
    backup.completes()
    began = engine.state(container)["StartedAt"]
    last = into_volumes(remote, backup.id, engine, f"{copied}:{empty}").completes()
    assert listing(engine.folder(empty)) == before == listing(engine.folder(copied))
    assert listing(engine.folder(kept)) == untouched
    assert beside(engine, empty) == ["_data"], "an empty folder is not kept"
    assert engine.state(container)["StartedAt"] == began and engine.runs(user)
    assert "setAside" not in last["Metadata"] and last["Metadata"]["message"] == f"Stopped meanwhile: {user}."


def test_command_line(engine, remote, spoiled):  # noqa: F811
    socket = ("--engine-socket", engine.socket)
    refused = holdfast.sh("holdfastctl", "restore", spoiled.backup.id, "--volumes", "/srv/x", check=False)
    assert refused.returncode != 0 and "excludes" in refused.stderr
    nowhere = holdfast.sh("holdfastctl", "restore", spoiled.backup.id, check=False)
    assert nowhere.returncode != 0 and "--volumes" in nowhere.stderr
    holdfast.sh("holdfastctl", "restore", spoiled.backup.id, "--volume", spoiled.volume, "--force", "--follow", *socket)
    assert listing(spoiled.folder) == spoiled.good and engine.runs(spoiled.container)


def test_containers_stop_as_in_the_backup_and_start_in_the_opposite_order(engine, between, remote):  # noqa: F811
    volume = engine.volume()
    fill(engine.folder(volume))
    names = [engine.run("-v", f"{volume}:/data") for _ in range(3)]
    names = [names[1], names[0], names[2]]
    backup = holdfast.start(docker_job(remote, engine, {"containerName": names}))
    backup.completes()
    into_volumes(remote, backup.id, between, **force()).completes()
    ids = {engine.inspect(name)["Id"]: name for name in names}
    paths = [request.split(" ")[1].split("/") for request in between.asked("POST")]
    assert [(verb, ids[container]) for _, _, container, verb in paths] == (
        [("stop", name) for name in names] + [("start", name) for name in reversed(names)])


def test_containers_run_while_the_backup_is_fetched(engine, remote, one_megabyte_a_second):  # noqa: F811
    spoiled = Spoiled(engine, remote, 5)
    run = into_volumes(remote, spoiled.backup.id, engine, **force())
    run.moves(2 << 20)
    assert engine.runs(spoiled.container) and listing(spoiled.folder) == spoiled.bad
    assert engine.state(spoiled.container)["StartedAt"] == spoiled.began
    run.completes()
    assert listing(spoiled.folder) == spoiled.good and engine.runs(spoiled.container)


def test_device_files_come_back(engine, remote):  # noqa: F811
    volume, other = engine.volume(), engine.volume()
    device = engine.folder(volume) / "device"
    try:
        os.mknod(device, 0o20600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no device files can be made here")
    backup = holdfast.start(docker_job(remote, engine, {"volumeName": volume}))
    backup.completes()
    into_volumes(remote, backup.id, engine, f"{volume}:{other}").completes()
    assert (engine.folder(other) / "device").stat().st_rdev == os.makedev(1, 3)


def test_restored_to_a_folder_nothing_is_lost_either(engine, remote, spoiled, tmp_path):  # noqa: F811
    target = tmp_path / "restored"
    backups.restore(remote, spoiled.backup.id, target).completes()
    assert listing(target / "volumes" / spoiled.volume) == spoiled.good


# --- what cannot work is said, and nothing is stopped for it -------------------------------------------------------------------

def untouched(engine, between, spoiled):  # noqa: F811
    assert listing(spoiled.folder) == spoiled.bad and beside(engine, spoiled.volume) == ["_data"]
    assert engine.runs(spoiled.container) and between.asked("POST") == []
    return True


def test_volume_that_is_not_empty_takes_force(engine, between, remote, spoiled):  # noqa: F811
    assert fails(into_volumes(remote, spoiled.backup.id, between), f"The volume {spoiled.volume} is not empty")
    assert untouched(engine, between, spoiled)


@pytest.mark.parametrize("volumes, says", [
    (["{volume}:nowhere"], 'There is no volume "nowhere"'),
    (["other"], "There is no volume other in this backup"),
    (["{volume}", "{volume}:other"], "is to be restored twice"),
])
def test_volume_that_is_not_there_is_named(engine, between, remote, spoiled, volumes, says):  # noqa: F811
    volumes = [text.format(volume=spoiled.volume) for text in volumes]
    assert fails(into_volumes(remote, spoiled.backup.id, between, *volumes, **force()), says)
    assert untouched(engine, between, spoiled)


@pytest.mark.parametrize("options, says", [
    ({"volumes": ("as", ["../x"])}, "NAME or NAME:OTHER"),
    ({"intoVolumes": ("b", True), "paths": ("as", ["a"])}, "restored whole"),
    ({"engineSocket": ("s", "/run/docker.sock")}, "for a restore into volumes"),
])
def test_options_that_mean_nothing_are_refused(engine, remote, spoiled, options, says):  # noqa: F811
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, spoiled.backup.id, "", **options)
    assert refused.value.name == "org.freedesktop.DBus.Error.InvalidArgs" and says in refused.value.message


def test_backup_of_something_else_is_refused(remote, job):
    backup = holdfast.start(job).wait()
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, backup["Id"], "", intoVolumes=("b", True))
    assert "no backup of volumes" in refused.value.message


def test_container_that_would_not_come_back_is_named(engine, between, remote, spoiled):  # noqa: F811
    passing = engine.run("--rm", "-v", f"{spoiled.volume}:/data:ro")
    assert fails(into_volumes(remote, spoiled.backup.id, between, **force()), passing, "would remove itself")
    engine("rm", "--force", passing)
    engine("pause", spoiled.container)
    assert fails(into_volumes(remote, spoiled.backup.id, between, **force()), spoiled.container, "is paused")
    engine("unpause", spoiled.container)
    assert untouched(engine, between, spoiled)


def test_volume_that_is_a_file_system_of_its_own_is_refused(engine, between, remote, spoiled, tmp_path):  # noqa: F811
    (tmp_path / "disk").mkdir()
    with faults.mounted(tmp_path / "disk", "size=1M"):
        volume = engine.volume("--opt=type=none", "--opt=o=bind", f"--opt=device={tmp_path}/disk")
        assert fails(into_volumes(remote, spoiled.backup.id, between, f"{spoiled.volume}:{volume}"), "a file system of its own")
    assert untouched(engine, between, spoiled)


# --- damage ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("damage, says", [(backups.flip_a_bit, "SHA-256"), (backups.truncate, "its manifest says")], ids=["bit", "truncated"])
def test_damaged_archive_changes_nothing(engine, between, remote, spoiled, damage, says):  # noqa: F811
    [name] = remote.objects()
    damage(remote, name)
    assert fails(into_volumes(remote, spoiled.backup.id, between, **force()), says, name)
    assert untouched(engine, between, spoiled)


@pytest.mark.parametrize("kind", ["symlink", "file", "elsewhere"])
def test_hostile_archive_changes_nothing(engine, between, remote, spoiled, kind):  # noqa: F811
    member = {"symlink": tarfile.TarInfo(f"volumes/{spoiled.volume}"), "file": tarfile.TarInfo(f"volumes/{spoiled.volume}"),
              "elsewhere": tarfile.TarInfo("_data/evil")}[kind]
    if kind == "symlink":
        member.type, member.linkname = tarfile.SYMTYPE, "../../_data"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(member)
    backups.replace_content(remote, remote.objects()[0], archive.getvalue())
    assert fails(into_volumes(remote, spoiled.backup.id, between, **force()))
    assert untouched(engine, between, spoiled)


def test_store_that_fills_up_is_named_and_nothing_changes(engine, between, remote, tmp_path):  # noqa: F811
    spoiled = Spoiled(engine, remote, 4)
    (tmp_path / "small").mkdir()
    with faults.mounted(tmp_path / "small", "size=2M"):
        (tmp_path / "small/volume").mkdir()
        volume = engine.volume("--opt=type=none", "--opt=o=bind", f"--opt=device={tmp_path}/small/volume")
        assert fails(into_volumes(remote, spoiled.backup.id, between, f"{spoiled.volume}:{volume}"), "No space left on device")
        assert [f.name for f in (tmp_path / "small").iterdir()] == ["volume"] and not any((tmp_path / "small/volume").iterdir())
    assert untouched(engine, between, spoiled)


# --- the restore is cut off -------------------------------------------------------------------------------------------------------

# What is held, and whether the volume has its new content then.
MOMENTS = {
    "asked who uses it": ("/containers/json", "before", False),
    "container is about to stop": ("/stop", "before", False),
    "container has stopped": ("/stop", "after", False),
    "container is about to start": ("/start", "before", True),
    "container has started": ("/start", "after", True),
}


@pytest.mark.parametrize("end", [faults.kill_worker, holdfast.Run.cancel], ids=["killed", "cancelled"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_restore_that_is_cut_off_leaves_the_old_or_the_new(engine, between, remote, spoiled, moment, end):  # noqa: F811
    text, when, arrived = MOMENTS[moment]
    between.hold(text, when)
    run = into_volumes(remote, spoiled.backup.id, between, **force())
    assert between.held.wait(30)
    if text != "/containers/json" and (text, when) != ("/stop", "before") and (text, when) != ("/start", "after"):
        assert not engine.runs(spoiled.container)
    end(run)
    between.let_go()
    last = run.wait()
    assert runs_again(engine, spoiled.container, timeout=0)
    assert "Not cleaned up" not in last["Error"], last
    if arrived:
        assert last["State"] == "completed", last
        assert listing(spoiled.folder) == spoiled.good
        assert listing(spoiled.folder.parent / f"_data.before-{run.id[:8]}") == spoiled.bad
    else:
        assert last["State"] in ("failed", "cancelled"), last
        assert listing(spoiled.folder) == spoiled.bad and beside(engine, spoiled.volume) == ["_data"]


def test_restore_that_is_killed_while_it_fetches(engine, between, remote, one_megabyte_a_second):  # noqa: F811
    spoiled = Spoiled(engine, remote, 5)
    run = into_volumes(remote, spoiled.backup.id, between, **force())
    run.moves(1 << 20)
    assert f"_data.holdfast-{run.id}" in beside(engine, spoiled.volume)
    faults.kill_worker(run)
    assert run.wait()["Result"] == "interrupted"
    assert untouched(engine, between, spoiled)


def test_power_cut_between_two_volumes_gives_both_their_old_content(engine, remote):  # noqa: F811
    """The ledger and the disk as they are then; the daemon finds them when it starts."""
    volumes = [engine.volume(), engine.volume()]
    run, entries = "0123456789abcdef0123456789abcdef", []
    for volume in volumes:
        folder = engine.folder(volume)
        (folder / "old").write_text("old")
        aside = folder.with_name("_data.before-01234567")
        fresh = engine.folder(volumes[0]).with_name(f"_data.holdfast-{run}") / "volumes" / volume
        fresh.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        (aside / "new").write_text("new")
        entries.append({"fresh": str(fresh), "path": str(folder), "aside": str(aside), "inode": aside.stat().st_ino})
    first = engine.folder(volumes[0])
    first.rename(first.with_name("swap"))
    first.with_name("_data.before-01234567").rename(first)
    first.with_name("swap").rename(first.with_name("_data.before-01234567"))
    assert (first / "new").exists()
    write_ledger(run, {"path": str(first.with_name(f"_data.holdfast-{run}"))}, {"volumes": entries})
    holdfast.sh("systemctl", "restart", "holdfast.service")
    holdfast.eventually(lambda: not holdfast.leftovers(), 30, "the ledger is settled")
    for volume in volumes:
        assert (engine.folder(volume) / "old").read_text() == "old" and not (engine.folder(volume) / "new").exists()
        assert beside(engine, volume) == ["_data"]


def write_ledger(run, scratch, arrival):
    header = {"version": 1, "id": run, "job": "cut", "host": "here", "rcloneConfig": str(holdfast.RCLONE_CONFIG), "outputPath": "volumes",
              "kind": "restore", "sourceType": "docker", "maxAttempts": 1, "cleanupOnFailure": True, "startedAt": 1}
    acquire = [{"op": "acquire", "number": 1, "kind": "scratch", "what": scratch, "keep": False, "onCommit": "undo"},
               {"op": "acquire", "number": 2, "kind": "volume-arrival", "what": arrival, "keep": False, "onCommit": "keep"}]
    path = holdfast.STATE / "ledger" / f"{run}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *acquire]))
