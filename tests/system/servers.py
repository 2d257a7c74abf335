"""Remotes behind real servers on the loopback: what rclone itself serves, and an S3 server."""
import contextlib
import pathlib
import shutil
import socket

import holdfast

DATA = pathlib.Path("/srv/tests/served")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def password():
    return holdfast.sh("rclone", "obscure", "any").stdout.strip()


class Served:
    """A remote whose server runs in a unit of its own; `folder` is what it serves."""

    def __init__(self, name, command, configuration):
        self.name, self.folder = name, DATA / name
        self.folder.mkdir(parents=True)
        self.unit, self.port = f"served-{name}.service", free_port()
        self._command = [word.format(port=self.port, folder=self.folder) for word in command]
        with holdfast.RCLONE_CONFIG.open("a") as file:
            file.write(f"[{name}]\n{configuration.format(port=self.port, password=password())}\n")
        holdfast.RCLONE_CONFIG.chmod(0o600)
        self.start()

    def start(self):
        holdfast.sh("systemd-run", "--quiet", f"--unit={self.unit}", "--setenv=HOME=/root", *self._command)
        holdfast.eventually(lambda: answers(self.port), 20, f"{self.unit} answers")

    def close(self):
        holdfast.sh("systemctl", "stop", self.unit)
        shutil.rmtree(self.folder)


SERVERS = {
    # As "other", rclone's WebDAV takes no streams; it does from servers that it knows.
    "webdav": (("rclone", "serve", "webdav", "--addr=127.0.0.1:{port}", "{folder}"),
               "type = webdav\nurl = http://127.0.0.1:{port}\nvendor = owncloud"),
    "sftp": (("rclone", "serve", "sftp", "--no-auth", "--addr=127.0.0.1:{port}", "{folder}"),
             "type = sftp\nhost = 127.0.0.1\nport = {port}\nuser = anyone\npass = {password}\nshell_type = none"),
    "s3": (("/usr/local/bin/s3rver", "-d", "{folder}", "-a", "127.0.0.1", "-p", "{port}", "--no-vhost-buckets", "--configure-bucket", "bucket"),
           "type = s3\nprovider = Other\naccess_key_id = S3RVER\nsecret_access_key = S3RVER\nendpoint = http://127.0.0.1:{port}\n"
           "force_path_style = true"),
}


def missing(kind):
    """What the server of this kind needs and is not installed here."""
    program = SERVERS[kind][0][0]
    return None if shutil.which(program, path="/usr/local/bin:/usr/bin") else program


@contextlib.contextmanager
def served(kind):
    """The remote, and the path on it that backups go to."""
    remote = Served(f"{kind}-{free_port()}", *SERVERS[kind])
    try:
        yield remote, "bucket/backups" if kind == "s3" else "backups"
    finally:
        remote.close()
