"""The docker source on a real engine with its store on a tmpfs: Docker here, Podman in test_podman.py. The proof is a comparison of every file
that `tar` unpacks from what lies at the destination. After every test, what ran before runs again."""
import errno
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import stat
import threading
import time

import faults
import holdfast
import pytest
from engines import STUBBORN, Engine, GoBetween

numbers = itertools.count(1)


# --- engines, volumes, jobs -----------------------------------------------------------------------------------------------------

ENGINE = "docker"


@pytest.fixture(scope="module")
def real(request, tmp_path_factory):
    name = request.module.ENGINE
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    engine = Engine(name)
    engine.set_up(tmp_path_factory.mktemp(name))
    yield engine
    engine.tear_down()


@pytest.fixture
def engine(real):
    yield real
    real.start()
    real.remove_all()


@pytest.fixture
def between(engine, tmp_path):
    between = GoBetween(engine, tmp_path / "engine.sock")
    yield between
    between.close()


def fill(folder, megabytes=1):
    """All that a file system may hold."""
    (folder / "sub/empty").mkdir(parents=True)
    (folder / "sub/random").write_bytes(os.urandom(megabytes << 20))
    (folder / "text").write_text("text\n" * 10000)
    (folder / "odd name\n'\"$x,;\\").write_text("odd\n")
    (folder / ("long" * 40)).write_text("long\n")
    (folder / "link").symlink_to("text")
    (folder / "absolute").symlink_to(folder / "text")
    (folder / "nowhere").symlink_to("no/such/file")
    os.link(folder / "text", folder / "sub/hard")
    os.mkfifo(folder / "fifo")
    with (folder / "sparse").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"end")
    (folder / "secret").write_text("secret\n")
    (folder / "secret").chmod(0o600)
    (folder / "setuid").write_text("setuid\n")
    os.chown(folder / "setuid", 4321, 8765)
    (folder / "setuid").chmod(0o6755)
    os.setxattr(folder / "text", "user.colour", b"blue\0green")
    holdfast.sh("setfacl", "--modify", "user:4711:rw-", folder / "secret")
    holdfast.sh("setcap", "cap_net_bind_service=ep", folder / "text")
    os.utime(folder / "sub", ns=(10**18, 1234567890123456789))
    os.chown(folder, 999, 999)
    folder.chmod(0o2750)


def attributes(path):
    try:
        return {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
    except OSError as error:
        if error.errno != errno.ENOTSUP:   # as zfs-fuse says
            raise
        return {}


def listing(root):
    """Everything about every file below a folder, and about the folder."""
    first = {}
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        info = path.lstat()
        name = str(path.relative_to(root))
        entry = {"mode": info.st_mode, "owner": (info.st_uid, info.st_gid), "time": info.st_mtime_ns,
                 "attributes": attributes(path)}
        if stat.S_ISREG(info.st_mode):
            entry["content"] = hashlib.sha256(path.read_bytes()).hexdigest()
            entry["same as"] = first.setdefault(info.st_ino, name)
            entry["holes"] = info.st_blocks * 512 < info.st_size
        elif stat.S_ISLNK(info.st_mode):
            entry["target"] = os.readlink(path)
        found[name] = entry
    return found


def docker_job(remote, engine, config, **changes):
    """Creates a job; returns its name."""
    name = f"docker-{next(numbers)}"
    socket = getattr(engine, "path", None) or engine.socket
    document = {"name": name, "remoteName": remote.name, "destinationPath": "backups", "preprocessType": "docker",
                "preprocessConfig": {"docker": {"engineSocket": str(socket)} | config}}
    holdfast.create_job(document | changes)
    return name


def unpack(remote, run, tmp_path):
    """Fetches the run's object, checks it against its manifest, and unpacks it. Returns the manifest and the folder of volumes."""
    name = run["OutputPath"].split("/")[-1]
    manifest = remote.manifests()[f"backups/{name}"]
    packed = tmp_path / name
    holdfast.sh("rclone", "--config", holdfast.RCLONE_CONFIG, "copyto", f"{remote.name}:backups/{name}", packed)
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == manifest["objects"][0]["sha256"]
    folder = tmp_path / f"unpacked{next(numbers)}"
    folder.mkdir()
    holdfast.sh("tar", "--extract", "--file", packed, "--directory", folder, "--numeric-owner", "--preserve-permissions",
                "--xattrs", "--xattrs-include=*", "--acls")
    return manifest, folder / "volumes"


def runs_again(engine, *containers, timeout=60):
    for container in containers:
        holdfast.eventually(lambda: engine.runs(container), timeout, f"{container} runs again")
    return True


def nothing_there(remote):
    assert remote.files() == []
    return True


class Busy:
    """A container with a volume that takes seconds to read, and a job for it."""

    def __init__(self, engine, remote, via=None, megabytes=6, options=(), config=None, **changes):
        self.engine, self.volume = engine, engine.volume()
        fill(engine.folder(self.volume), megabytes)
        self.container = engine.run("-v", f"{self.volume}:/data", *options)
        self.job = docker_job(remote, via or engine, {"containerName": self.container} | (config or {}),
                              limits={"bandwidth": "2M"}, **changes)
        self.began = engine.state(self.container)["StartedAt"]

    def start_and_read(self):
        run = holdfast.start(self.job)
        run.moves(1 << 20)
        assert not self.engine.runs(self.container)
        return run


# --- a backup -------------------------------------------------------------------------------------------------------------------

def test_what_is_unpacked_is_what_was_there(engine, remote, tmp_path):
    one, two, _other = engine.volume(), engine.volume(), engine.volume()
    for volume in (one, two):
        fill(engine.folder(volume))
    container = engine.run("-v", f"{one}:/one", "-v", "/srv:/srv:ro")
    before = {volume: listing(engine.folder(volume)) for volume in (one, two)}
    config = {"containerName": container, "volumeName": [two]}
    run = holdfast.start(docker_job(remote, engine, config))
    last = run.completes()
    assert engine.runs(container)

    manifest, folder = unpack(remote, run, tmp_path)
    assert sorted(os.listdir(folder)) == sorted([one, two])
    for volume in (one, two):
        assert listing(folder / volume) == before[volume]
    assert before[one]["sparse"]["holes"] and before[one]["text"]["same as"] == "sub/hard"
    packed = (remote.folder / run["OutputPath"].split(":")[1]).stat().st_size
    assert packed < 10 << 20, "holes take no room"

    fields = manifest["docker"]
    assert fields["engine"]["name"] == engine.name.capitalize() and fields["engine"]["version"]
    assert [(c["name"], c["ran"]) for c in fields["containers"]] == [(container, True)]
    assert sorted((v["name"], v["driver"], v["folder"]) for v in fields["volumes"]) == sorted(
        (v, "local", f"volumes/{v}") for v in (one, two))
    assert fields["leftOut"] == [{"container": container, "source": "/srv", "destination": "/srv"}]
    assert f"/srv (of {container})" in last["Metadata"]["message"], last


def test_estimate_is_near(engine, remote):
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    now = run.all()
    assert now["BytesTotalEstimated"], now
    last = run.completes()
    assert 0.98 < now["BytesTotal"] / last["BytesDone"] < 1.05, (now, last)


def test_containers_stop_in_order_and_start_in_the_opposite_one(engine, between, remote):
    volumes = [engine.volume() for _ in range(3)]
    names = [engine.run("-v", f"{volume}:/data") for volume in volumes]
    names = [names[1], names[0], names[2]]
    run = holdfast.start(docker_job(remote, between, {"containerName": names}))
    run.completes()
    ids = {engine.inspect(name)["Id"]: name for name in names}
    paths = [request.split(" ")[1].split("/") for request in between.asked("POST")]
    asked = [(verb, ids[container]) for _, _, container, verb in paths]
    assert asked == [("stop", name) for name in names] + [("start", name) for name in reversed(names)]
    started = [engine.state(name)["StartedAt"] for name in reversed(names)]
    assert started == sorted(started)
    assert all(engine.runs(name) for name in names)


def test_whatever_writes_to_a_volume_is_stopped_and_what_only_reads_is_not(engine, remote):
    volume = engine.volume()
    fill(engine.folder(volume), 6)
    writers = [engine.run("-v", f"{volume}:/data") for _ in range(2)]
    reader, stranger = engine.run("-v", f"{volume}:/data:ro"), engine.run()
    before = {name: engine.state(name)["StartedAt"] for name in (reader, stranger)}
    run = holdfast.start(docker_job(remote, engine, {"volumeName": volume}, limits={"bandwidth": "2M"}))
    run.moves(1 << 20)
    assert [engine.runs(name) for name in (*writers, reader, stranger)] == [False, False, True, True]
    run.completes()
    assert runs_again(engine, *writers)
    assert before == {name: engine.state(name)["StartedAt"] for name in (reader, stranger)}


def test_container_that_does_not_run_is_not_started(engine, between, remote):
    volume = engine.volume()
    idle, running = engine.run("-v", f"{volume}:/data"), engine.run("-v", f"{volume}:/data")
    engine("stop", "-t", "1", idle)
    run = holdfast.start(docker_job(remote, between, {"containerName": [idle, running]}))
    run.completes()
    assert not engine.runs(idle) and engine.runs(running)
    assert len(between.asked("/start")) == 1
    assert {c["name"]: c["ran"] for m in remote.manifests().values() for c in m["docker"]["containers"]} == {idle: False, running: True}


def test_containers_run_again_before_the_upload_is_verified(engine, remote):
    busy = Busy(engine, remote, megabytes=1)
    with faults.rclone_held("lsjson --stat"):
        run = holdfast.start(busy.job)
        run.reaches(Phase="verifying")
        assert engine.runs(busy.container)
        faults.let_go()
        run.completes()


def test_container_with_a_restart_policy(engine, remote):
    busy = Busy(engine, remote, options=["--restart=always"], megabytes=4)
    run = busy.start_and_read()
    run.completes()
    assert engine.runs(busy.container) and engine.state(busy.container)["StartedAt"] > busy.began


def test_paused_container_stays_paused(engine, remote):
    volume = engine.volume()
    fill(engine.folder(volume))
    container = engine.run("-v", f"{volume}:/data")
    engine("pause", container)
    holdfast.start(docker_job(remote, engine, {"containerName": container})).completes()
    assert engine.state(container)["Paused"]
    engine("unpause", container)


def test_container_that_ignores_the_signal_is_killed_and_that_is_said(engine, remote):
    volume = engine.volume()
    fill(engine.folder(volume))
    container = engine.run("--stop-timeout=1", "-v", f"{volume}:/data", script=STUBBORN)
    last = holdfast.start(docker_job(remote, engine, {"containerName": container})).completes()
    assert f"Did not end in time and was killed: {container}." in last["Metadata"]["message"]
    assert runs_again(engine, container)


def test_volume_that_is_a_folder_of_this_machine(engine, remote, tmp_path):
    source = tmp_path / "a.b,c"
    source.mkdir()
    fill(source)
    volume = engine.volume("--opt=type=none", "--opt=o=bind", f"--opt=device={source}")
    before = listing(source)
    run = holdfast.start(docker_job(remote, engine, {"volumeName": volume}))
    run.completes()
    _, folder = unpack(remote, run, tmp_path)
    assert listing(folder / volume) == before


# --- what cannot work is said, and nothing is stopped for it -----------------------------------------------------------------------

def refused(remote, engine, config):
    with pytest.raises(holdfast.BusError) as refusal:
        docker_job(remote, engine, config)
    return refusal.value.message


def test_what_is_not_there_is_refused_when_the_job_is_made(engine, remote):
    there, volume = engine.run(), engine.volume()
    message = refused(remote, engine, {"containerName": [there, "nobody"], "volumeName": "nothing"})
    assert "/preprocessConfig/docker/containerName/1" in message and "Container 'nobody' does not exist" in message
    assert "/preprocessConfig/docker/volumeName" in message and "Volume 'nothing' does not exist" in message
    assert there not in message
    assert "does not exist" in refused(remote, engine, {"volumeName": volume[:-1]}), "no beginning of a name is taken for it"


def test_no_engine_is_refused_when_the_job_is_made(engine, remote):
    nowhere = type("Nowhere", (), {"socket": "/run/nowhere.sock"})
    message = refused(remote, nowhere, {"containerName": "web"})
    assert "/preprocessConfig/docker/engineSocket" in message and "No container engine answers at /run/nowhere.sock" in message


def test_container_and_volume_that_have_gone_since_are_named(engine, remote):
    container, volume = engine.run(), engine.volume()
    first = docker_job(remote, engine, {"containerName": container})
    second = docker_job(remote, engine, {"volumeName": volume})
    engine.remove_all()
    last = holdfast.start(first).wait()
    assert last["State"] == "failed" and f'There is no container "{container}"' in last["Error"], last
    last = holdfast.start(second).wait()
    assert last["State"] == "failed" and f'There is no volume "{volume}"' in last["Error"], last
    assert nothing_there(remote)


def test_engine_that_has_stopped_since_is_named(engine, remote):
    job = docker_job(remote, engine, {"volumeName": engine.volume()})
    engine.stop()
    last = holdfast.start(job).wait()
    assert last["State"] == "failed" and f"No container engine answers at {engine.socket}" in last["Error"], last


@pytest.mark.parametrize("options, volume, says", [
    (["-v", "/srv:/srv"], None, "There is nothing to back up"),
    (["--rm", "-v", "{volume}:/data"], [], "would remove itself when it is stopped"),
    (["-v", "{volume}:/data"], ["--opt=type=tmpfs", "--opt=device=tmpfs"], "only while a container uses it"),
])
def test_what_cannot_be_backed_up_leaves_the_container_running(engine, between, remote, options, volume, says):
    name = engine.volume(*volume) if volume is not None else ""
    container = engine.run(*(option.format(volume=name) for option in options))
    last = holdfast.start(docker_job(remote, between, {"containerName": container})).wait()
    assert last["State"] == "failed" and says in last["Error"], last
    assert engine.runs(container) and between.asked("POST") == [] and nothing_there(remote)


def test_two_volumes_of_the_same_files_are_refused(engine, remote, tmp_path):
    (tmp_path / "in").mkdir()
    volumes = [engine.volume("--opt=type=none", "--opt=o=bind", f"--opt=device={path}") for path in (tmp_path, tmp_path / "in")]
    last = holdfast.start(docker_job(remote, engine, {"volumeName": volumes})).wait()
    assert last["State"] == "failed" and "overlap" in last["Error"], last


def test_file_that_changes_while_it_is_read_is_no_backup(engine, remote):
    busy = Busy(engine, remote, cleanupOnFailure=False)
    growing, over = engine.folder(busy.volume) / "sub/random", threading.Event()

    def write():
        while not over.wait(0.01):
            with growing.open("ab") as file:
                file.write(b"more")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        last = holdfast.start(busy.job).wait()
    finally:
        over.set()
        writer.join()
    assert last["State"] == "failed" and "file changed as we read it" in last["Error"], last
    assert runs_again(engine, busy.container) and nothing_there(remote)


# --- somebody else is at work ------------------------------------------------------------------------------------------------------

def test_container_that_is_removed_meanwhile(engine, remote):
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    engine("rm", "--force", busy.container)
    last = run.completes()
    assert f"Removed by somebody meanwhile, so not started again: {busy.container}." in last["Metadata"]["message"]


def test_container_that_is_removed_before_the_cleanup(engine, remote):
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    engine("rm", "--force", busy.container)
    run.cancel()
    last = run.wait()
    assert last["State"] == "cancelled" and "Not cleaned up" not in last["Error"], last


def test_container_that_somebody_starts_meanwhile(engine, remote):
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    engine("start", busy.container)
    last = run.wait()
    assert last["State"] == "failed" and f"Somebody started {busy.container} while the volumes were read" in last["Error"], last
    assert engine.runs(busy.container) and nothing_there(remote)


def test_container_that_somebody_has_started_and_stopped_since_stays_stopped(engine, remote):
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    time.sleep(1)
    engine("start", busy.container)
    engine("stop", "-t", "1", busy.container)
    faults.kill_worker(run)
    assert run.wait()["State"] == "failed"
    assert not engine.runs(busy.container)


def test_container_that_cannot_start_again_is_named_and_keeps_no_other_down(engine, remote, tmp_path):
    needed = tmp_path / "needed"
    needed.mkdir()
    other = engine.run("-v", f"{engine.volume()}:/data")
    busy = Busy(engine, remote, options=["--mount", f"type=bind,source={needed},target=/needed"], config={}, megabytes=6)
    holdfast.remove_job(busy.job)
    job = docker_job(remote, engine, {"containerName": [other, busy.container]}, limits={"bandwidth": "2M"}, cleanupOnFailure=False)
    run = holdfast.start(job)
    run.moves(1 << 20)
    needed.rmdir()
    holdfast.eventually(lambda: run["State"] in holdfast.OVER, 60)
    last = run.all()
    assert last["State"] == "failed" and f"could not start the container {busy.container} again" in last["Error"], last
    assert engine.runs(other) and not engine.runs(busy.container)
    assert list((holdfast.STATE / "ledger").glob(f"{run.id}*")), "what is left to do is not forgotten"
    needed.mkdir()
    holdfast.sh("systemctl", "restart", "holdfast.service")
    assert runs_again(engine, busy.container)
    assert nothing_there(remote)


# --- the engine dies -----------------------------------------------------------------------------------------------------------------

def test_engine_that_is_killed_while_the_volumes_are_read(engine, remote, tmp_path):
    busy = Busy(engine, remote)
    before = listing(engine.folder(busy.volume))
    run = busy.start_and_read()
    engine.kill()
    run.completes()
    assert runs_again(engine, busy.container)
    _, folder = unpack(remote, run, tmp_path)
    assert listing(folder / busy.volume) == before


def test_engine_that_is_killed_while_it_stops_a_container(engine, between, remote):
    volume = engine.volume()
    container = engine.run("--stop-timeout=5", "-v", f"{volume}:/data", script=STUBBORN)
    run = holdfast.start(docker_job(remote, between, {"containerName": container}))
    holdfast.eventually(lambda: between.asked("/stop"))
    time.sleep(0.5)
    engine.kill()
    holdfast.eventually(lambda: run["State"] in holdfast.OVER, 60)
    assert run["State"] == "failed" and nothing_there(remote)
    engine.start()
    holdfast.eventually(lambda: not holdfast.leftovers(), 90, "the ledger is settled")
    assert runs_again(engine, container)


def test_container_starts_when_an_engine_that_was_long_away_is_back(engine, remote):
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    engine.stop()
    holdfast.eventually(lambda: run["State"] in holdfast.OVER, 90)
    last = run.all()
    assert last["State"] == "failed" and f"No container engine answers at {engine.socket}" in last["Error"], last
    assert f"The container {busy.container} may not run again yet" in last["Error"], last
    assert list((holdfast.STATE / "ledger").glob(f"{run.id}*")), "what is left to do is not forgotten"
    engine.start()
    holdfast.sh("systemctl", "restart", "holdfast.service")
    assert runs_again(engine, busy.container)
    assert nothing_there(remote)


# --- the run is cut off ------------------------------------------------------------------------------------------------------------

# What of the run has been done; then the text of the request that is held, and whether before or after the engine has done it.
MOMENTS = {
    "asked for the version": ("/version", "before"),
    "first container is about to stop": ("/stop", "before"),
    "first container has stopped": ("/stop", "after"),
    "second container is about to stop": ("{second}/stop", "before"),
    "second container has stopped": ("{second}/stop", "after"),
    "second container is about to start": ("{second}/start", "before"),
    "second container has started": ("{second}/start", "after"),
    "first container is about to start": ("{first}/start", "before"),
}


@pytest.fixture
def pair(engine, between, remote):
    """Two containers and a job for both, through the go-between."""
    names = [engine.run("-v", f"{engine.volume()}:/data") for _ in range(2)]
    ids = dict(zip(("first", "second"), (engine.inspect(name)["Id"] for name in names)))
    job = docker_job(remote, between, {"containerName": names}, cleanupOnFailure=False)

    def start_and_hold(text, when):
        between.hold(text.format(**ids), when)
        run = holdfast.start(job)
        assert between.held.wait(30)
        return run
    return type("Pair", (), {"names": names, "start_and_hold": staticmethod(start_and_hold)})


@pytest.mark.parametrize("moment", MOMENTS)
def test_worker_that_is_killed_leaves_no_container_stopped(engine, between, remote, pair, moment):
    run = pair.start_and_hold(*MOMENTS[moment])
    faults.kill_worker(run)
    between.let_go()
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "interrupted") and "Not cleaned up" not in last["Error"], last
    assert runs_again(engine, *pair.names, timeout=0) and nothing_there(remote)


@pytest.mark.parametrize("moment", MOMENTS)
def test_run_that_is_cancelled_leaves_no_container_stopped(engine, between, remote, pair, moment):
    run = pair.start_and_hold(*MOMENTS[moment])
    run.cancel()
    between.let_go()
    last = run.wait()
    assert last["State"] == "cancelled" and "Not cleaned up" not in last["Error"], last
    assert runs_again(engine, *pair.names, timeout=0) and nothing_there(remote)


@pytest.mark.parametrize("end", [faults.kill_worker, holdfast.Run.cancel], ids=["killed", "cancelled"])
def test_run_that_is_cut_off_while_it_reads(engine, remote, end):
    busy = Busy(engine, remote, cleanupOnFailure=False)
    run = busy.start_and_read()
    end(run)
    run.wait()
    assert engine.runs(busy.container) and nothing_there(remote)


@pytest.mark.parametrize("end", [faults.kill_worker, holdfast.Run.cancel], ids=["killed", "cancelled"])
def test_container_that_is_still_stopping_when_the_run_is_cut_off_runs_again(engine, between, remote, end):
    """The engine goes on with a stop that it was asked for, whoever has gone away meanwhile."""
    container = engine.run("--stop-timeout=3", "-v", f"{engine.volume()}:/data", script=STUBBORN)
    began = engine.state(container)["StartedAt"]
    run = holdfast.start(docker_job(remote, between, {"containerName": container}))
    holdfast.eventually(lambda: between.asked("/stop"))
    time.sleep(0.5)
    assert pathlib.Path(f"/proc/{engine.state(container)['Pid']}").exists(), "Podman says of it that it does not run"
    end(run)
    run.wait()
    time.sleep(4)
    state = engine.state(container)
    assert state["Running"] and state["StartedAt"] != began, state


def test_preparation_that_takes_too_long_is_ended_and_the_container_runs(engine, between, remote):
    container = engine.run("--stop-timeout=5", "-v", f"{engine.volume()}:/data", script=STUBBORN)
    job = docker_job(remote, between, {"containerName": container}, preprocessTimeout=1)
    last = holdfast.start(job).wait()
    assert last["State"] == "failed" and "longer than preprocessTimeout" in last["Error"], last
    time.sleep(5)
    assert engine.runs(container)


def test_run_without_its_destination_keeps_no_container_down(engine, remote):
    """Containers come first: before the destination is asked for anything."""
    busy = Busy(engine, remote)
    run = busy.start_and_read()
    with faults.rclone_held("deletefile"):
        faults.kill_worker(run)
        assert runs_again(engine, busy.container, timeout=20)
        assert run["State"] not in holdfast.OVER
        faults.let_go()
        run.wait()
    assert nothing_there(remote)
