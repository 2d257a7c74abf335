"""Real container engines for the tests, and a go-between that holds what Holdfast asks of them."""
import contextlib
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

import holdfast

IMAGE = "busybox:local"
numbers = itertools.count(1)

# What a well-behaved service does: it notes that it runs, and ends when it is told to.
SERVICE = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"


class Engine:
    """Docker or Podman with a store of its own on a tmpfs."""

    def __init__(self, name):
        self.name = name
        self.socket = pathlib.Path({"docker": "/run/docker.sock", "podman": "/run/podman/podman.sock"}[name])
        self.store = pathlib.Path({"docker": "/var/lib/docker", "podman": "/var/lib/containers"}[name])

    def __call__(self, *arguments, **options):
        return holdfast.sh(self.name, *arguments, **options).stdout.strip()

    def set_up(self, folder):
        self.store.mkdir(parents=True, exist_ok=True)
        holdfast.sh("mount", "-t", "tmpfs", "-o", "size=1G", "tmpfs", self.store)
        self.start()
        root = folder / "image/bin"
        root.mkdir(parents=True)
        holdfast.sh("cp", "/bin/busybox", root)
        for tool in ("sh", "sleep", "touch"):
            (root / tool).symlink_to("busybox")
        with subprocess.Popen(["tar", "-C", root.parent, "-c", "."], stdout=subprocess.PIPE) as tar:
            self("import", "-", IMAGE, stdin=tar.stdout)

    def tear_down(self):
        self.remove_all()
        self.stop()
        holdfast.sh("systemctl", "stop", "containerd.service", check=False)
        holdfast.eventually(lambda: holdfast.sh("umount", "--recursive", self.store, check=False).returncode == 0, 10)

    def start(self):
        holdfast.sh("systemctl", "reset-failed", f"{self.name}.service", check=False)
        holdfast.sh("systemctl", "start", *self._units())
        holdfast.eventually(lambda: holdfast.sh(self.name, "version", check=False).returncode == 0, 30, f"{self.name} answers")

    def stop(self):
        holdfast.sh("systemctl", "stop", *reversed(self._units()))

    def _units(self):
        return ["docker.socket", "docker.service"] if self.name == "docker" else ["podman.socket"]

    def kill(self):
        """The engine's process, with SIGKILL. systemd starts Docker's again, and Podman's when somebody asks for it."""
        holdfast.sh("systemctl", "reset-failed", f"{self.name}.service", check=False)
        pid = int(holdfast.unit(f"{self.name}.service", "MainPID")["MainPID"])
        if pid:
            os.kill(pid, signal.SIGKILL)

    def remove_all(self):
        for container in self("ps", "--all", "--quiet", "--no-trunc").split():
            holdfast.sh(self.name, "rm", "--force", "--volumes", container, check=False)
        for volume in self("volume", "ls", "--quiet").split():
            self("volume", "rm", "--force", volume)

    def run(self, *options, script=SERVICE):
        """Starts a container; returns its name."""
        name = f"container{next(numbers)}"
        self("run", "--detach", "--network=none", "--name", name, *options, IMAGE, "sh", "-c", script)
        return name

    def volume(self, *options):
        """Makes a volume; returns its name."""
        name = f"volume{next(numbers)}"
        self("volume", "create", *options, name)
        return name

    def folder(self, volume):
        return pathlib.Path(json.loads(self("volume", "inspect", volume))[0]["Mountpoint"])

    def inspect(self, container):
        return json.loads(self("container", "inspect", container))[0]

    def state(self, container):
        return self.inspect(container)["State"]

    def runs(self, container):
        return self.state(container)["Running"]


class GoBetween:
    """A socket that passes requests on to an engine, notes them, and holds the first that has a certain text: before it
    reaches the engine, or after the engine has done it. Every request has a connection of its own."""

    def __init__(self, engine, path):
        self.path, self.engine = pathlib.Path(path), engine
        self.requests = []
        self._hold = None
        self.held, self._let_go = threading.Event(), threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def hold(self, text, when):
        self.held.clear()
        self._let_go.clear()
        self._hold = (text, when)

    def let_go(self):
        self._let_go.set()

    def close(self):
        self.let_go()
        self._server.close()
        self.path.unlink()

    def asked(self, text):
        return [request for request in self.requests if text in request]

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._pass_on, args=(self._server.accept()[0],), daemon=True).start()

    def _pass_on(self, client):
        with client, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            line = request.split(b"\r\n")[0].decode()
            self.requests.append(line)
            self._wait_at(line, "before")
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(str(self.engine.socket))
                engine.sendall(request)
                answer = b""
                while more := engine.recv(65536):
                    answer += more
            self._wait_at(line, "after")
            client.sendall(answer)

    def _wait_at(self, line, when):
        if self._hold and self._hold[1] == when and self._hold[0] in line:
            self._hold = None
            self.held.set()
            self._let_go.wait(120)
