"""Containers that do not stand alone (on Podman): in namespaces of others, on the same folder under another name, run by a systemd unit; and an
engine that is not root's."""
import pathlib
import shutil
import subprocess

import backups
import holdfast
import pytest
from engines import IMAGE, SERVICE
from test_docker import docker_job, engine, nothing_there, real, runs_again  # noqa: F401

ENGINE = "podman"


def network_of(engine, container):
    return pathlib.Path(f"/proc/{engine.state(container)['Pid']}/ns/net").readlink()


def stopped_by(last):
    """The containers that the run has stopped, in order."""
    return last["Metadata"]["message"].split("Stopped ")[1].split(".")[0].split(", ")


def test_what_shares_a_namespace_is_stopped_and_started_too(remote, engine):
    owner = engine.run("-v", f"{engine.volume()}:/data")
    guest = "guest"
    engine("run", "--detach", f"--network=container:{owner}", "--name", guest, IMAGE, "sh", "-c", SERVICE)
    peer = engine.run(f"--pid=container:{owner}")
    far = engine.run(f"--ipc=container:{peer}")
    last = holdfast.start(docker_job(remote, engine, {"containerName": [owner, guest]})).completes()
    assert runs_again(engine, owner, guest, peer, far) and network_of(engine, owner) == network_of(engine, guest)
    order = stopped_by(last)
    assert sorted(order) == sorted([owner, guest, peer, far])
    assert order.index(guest) < order.index(owner) and order.index(far) < order.index(peer) < order.index(owner)
    for container in (guest, far, peer, owner):
        engine("rm", "--force", "--time=0", container)   # Podman removes none before those that share with it


@pytest.mark.parametrize("how", ["volume", "folder", "below"])
def test_writer_on_the_same_folder_under_another_name_is_stopped(remote, engine, tmp_path, how):
    folder = tmp_path / "device"
    (folder / "below").mkdir(parents=True)
    device = ("--opt", "type=none", "--opt", "o=bind", "--opt", f"device={folder}")
    volume = engine.volume(*device)
    (folder / "file").write_text("content")
    what = {"volume": lambda: engine.volume(*device), "folder": lambda: folder, "below": lambda: folder / "below"}[how]()
    writer = engine.run("-v", f"{what}:/data")
    reader = engine.run("-v", f"{what}:/data:ro")
    last = holdfast.start(docker_job(remote, engine, {"volumeName": volume})).completes()
    assert stopped_by(last) == [writer] and runs_again(engine, writer, reader)


@pytest.fixture
def container_of_a_unit(engine):
    """A container, and the unit that has started it: its main process is the container's conmon."""
    unit = pathlib.Path("/etc/systemd/system/keeper.service")
    engine("create", "--network=none", "--name", "kept", "-v", f"{engine.volume()}:/data", "--conmon-pidfile=/run/keeper.pid", IMAGE, "sh",
           "-c", SERVICE)
    unit.write_text("[Service]\nType=forking\nPIDFile=/run/keeper.pid\nExecStart=/usr/bin/podman start kept\nExecStop=/usr/bin/podman stop kept\n")
    holdfast.sh("systemctl", "daemon-reload")
    holdfast.sh("systemctl", "start", unit.name)
    yield "kept"
    holdfast.sh("systemctl", "stop", unit.name)
    unit.unlink()
    holdfast.sh("systemctl", "daemon-reload")


def test_container_of_a_systemd_unit_is_refused(remote, engine, container_of_a_unit):
    started = engine.state(container_of_a_unit)["StartedAt"]
    last = holdfast.start(docker_job(remote, engine, {"containerName": container_of_a_unit})).wait()
    assert last["State"] == "failed" and "is run by the systemd unit keeper.service" in last["Error"], last
    assert engine.state(container_of_a_unit)["StartedAt"] == started and nothing_there(remote)
    assert holdfast.unit("keeper.service", "ActiveState")["ActiveState"] == "active"


def test_container_that_carries_the_name_of_an_active_unit_is_refused(remote, engine):
    kept = engine.run("--label", "PODMAN_SYSTEMD_UNIT=holdfast.service", "-v", f"{engine.volume()}:/data")
    engine.run("--label", "PODMAN_SYSTEMD_UNIT=gone.service", "-v", f"{engine.volume()}:/data")
    last = holdfast.start(docker_job(remote, engine, {"containerName": kept})).wait()
    assert last["State"] == "failed" and "is run by the systemd unit holdfast.service" in last["Error"], last


# --- an engine that is not root's -------------------------------------------------------------------------------------------------

SERVER = """import os, pwd, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.setuid(pwd.getpwnam("alice").pw_uid)
server.listen()
while True:
    server.accept()[0].sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
"""


@pytest.fixture(params=["its folder", "its server"])
def of_a_user(request, tmp_path):
    """A socket in a folder of alice's, which she could exchange; and one that is root's, behind which a program of hers answers."""
    folder = tmp_path / "engine"
    folder.mkdir(mode=0o755)
    if request.param == "its folder":
        shutil.chown(folder, "alice")
    server = subprocess.Popen(["python3", "-c", SERVER, folder / "engine.sock"])
    holdfast.eventually((folder / "engine.sock").exists, 10)
    yield folder / "engine.sock"
    server.kill()
    server.wait()


def test_engine_of_a_user_is_refused(remote, engine, of_a_user):
    container = engine.run("-v", f"{engine.volume()}:/data")
    with pytest.raises(holdfast.BusError) as refused:
        docker_job(remote, type("Theirs", (), {"path": of_a_user}), {"containerName": container})
    assert "to root" in refused.value.message or "not by root" in refused.value.message, refused.value.message
    backup = holdfast.start(docker_job(remote, engine, {"containerName": container}))
    backup.completes()
    last = backups.restore(remote, backup.id, "", intoVolumes=("b", True), force=("b", True), engineSocket=("s", str(of_a_user))).wait()
    assert last["State"] == "failed" and str(of_a_user.parent) in last["Error"] and "root" in last["Error"], last
