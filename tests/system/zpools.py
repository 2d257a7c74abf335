"""Real pools for the tests of the zfs source: OpenZFS where its kernel module is loaded, else zfs-fuse; in files either way."""
import contextlib
import hashlib
import itertools
import os
import pathlib
import time

import faults
import holdfast
import pytest

POOLS = pathlib.Path("/srv/tests/pools")
UNIT = pathlib.Path("/etc/systemd/system/zfs-fuse.service")
KERNEL = os.path.exists("/dev/zfs")
SEND = "send -L -c -e" if KERNEL else "send"   # how a stream of a single dataset begins
SEND_ALL = "send -R -L -c -e" if KERNEL else "send -R"
numbers = itertools.count(1)

needed = [pytest.mark.skipif(not KERNEL and not os.path.exists("/dev/fuse"), reason="there is neither OpenZFS nor /dev/fuse here"),
          pytest.mark.usefixtures("pools")]


# --- pools --------------------------------------------------------------------------------------------------------------------

def zfs(*arguments, **options):
    return holdfast.sh("zfs", *arguments, **options).stdout.strip()


def destroy(name):
    """A file system with all its snapshots. zfs-fuse keeps one busy for a moment after it was unmounted."""
    holdfast.eventually(lambda: holdfast.sh("zfs", "destroy", "-r", name, check=False).returncode == 0, 10, f"{name} destroyed")


@contextlib.contextmanager
def two_pools():
    """Two pools: tank, which is backed up, and copy, which receives."""
    with zfs_daemon():
        POOLS.mkdir(parents=True)
        for pool in ("tank", "copy"):
            holdfast.sh("truncate", "--size=512M", POOLS / f"{pool}.disk")
            holdfast.sh("zpool", "create", "-m", POOLS / pool, pool, POOLS / f"{pool}.disk")
        yield
        for pool in ("tank", "copy"):
            holdfast.eventually(lambda: holdfast.sh("zpool", "destroy", "-f", pool, check=False).returncode == 0, 10)
            (POOLS / f"{pool}.disk").unlink()
            (POOLS / pool).rmdir()
        POOLS.rmdir()


@pytest.fixture(scope="module")
def pools():
    with two_pools():
        yield


@contextlib.contextmanager
def zfs_daemon():
    """zfs-fuse, where ZFS is not in the kernel."""
    if KERNEL:
        yield
        return
    # Debian's own unit runs an init script that lowers its oom_adj, which a container may not.
    UNIT.write_text("""[Service]
ExecStart=/usr/sbin/zfs-fuse --no-daemon --no-kstat-mount --max-arc-size=128
ExecStartPost=/bin/sh -c 'for i in $(seq 100); do [ -S /run/zfs/zfs_socket ] && exit 0; sleep 0.1; done; exit 1'
LimitNOFILE=16000
""")
    pathlib.Path("/run/zfs").mkdir(exist_ok=True)
    holdfast.sh("systemctl", "daemon-reload")
    holdfast.sh("systemctl", "start", "zfs-fuse.service")
    yield
    holdfast.sh("systemctl", "stop", "zfs-fuse.service")
    UNIT.unlink()
    holdfast.sh("systemctl", "daemon-reload")


def fill(folder, megabytes=1):
    (folder / "sub/empty").mkdir(parents=True)
    (folder / "sub/random").write_bytes(os.urandom(megabytes << 20))
    (folder / "text").write_text("text\n" * 10000)
    (folder / "odd name\n'\"$x").write_text("odd\n")
    (folder / "link").symlink_to("text")
    with (folder / "sparse").open("wb") as file:
        file.seek(10 << 20)
        file.write(b"end")


class Dataset:
    def __init__(self, megabytes=1):
        self.name = f"tank/data{next(numbers)}"
        self.folder = POOLS / self.name
        zfs("create", self.name)
        fill(self.folder, megabytes)
        zfs("snapshot", f"{self.name}@foreign")

    def snapshots(self):
        """All that there are, with the count of their holds."""
        lines = zfs("list", "-H", "-r", "-t", "snapshot", "-o", "name,userrefs", self.name).splitlines()
        return {name: int(holds) for name, holds in (line.split("\t") for line in lines)}

    def untouched(self):
        foreign = {name: holds for name, holds in self.snapshots().items() if name.endswith("@foreign")}
        assert self.snapshots() == foreign and not any(foreign.values()), self.snapshots()
        return True


@pytest.fixture
def dataset(pools):
    dataset = Dataset()
    yield dataset
    destroy(dataset.name)


def zfs_job(remote, dataset, config=None, **changes):
    """Creates a job; returns its name."""
    name = f"zfs-{next(numbers)}"
    document = {"name": name, "remoteName": remote.name, "destinationPath": "backups", "preprocessType": "zfs",
                "preprocessConfig": {"zfs": {"poolName": dataset.name, "snapshotName": "nightly"} | (config or {})}}
    holdfast.create_job(document | changes)
    return name


def receive(remote, run, tmp_path, onto=None):
    """Fetches the run's object, checks it against its manifest, and receives it: as a new dataset, or what has changed onto an
    earlier one. Returns the manifest and the dataset."""
    name = run["OutputPath"].split("/")[-1]
    manifest = remote.manifests()[f"backups/{name}"]
    packed = tmp_path / name
    holdfast.sh("rclone", "--config", holdfast.RCLONE_CONFIG, "copyto", f"{remote.name}:backups/{name}", packed)
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == manifest["objects"][0]["sha256"]
    if name.endswith(".zst"):
        holdfast.sh("zstd", "--quiet", "--decompress", packed)
        packed = packed.with_suffix("")
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == manifest["stream"]["sha256"]
    target = onto or f"copy/received{next(numbers)}"
    with packed.open("rb") as stream:
        zfs("receive", *(["-F"] if onto else []), target, stdin=stream)
    return manifest, target


def same_files(original, received):
    holdfast.sh("diff", "--recursive", "--no-dereference", original, received)
    listing = [sorted(str(p.relative_to(root)) for p in root.rglob("*")) for root in (original, received)]
    assert listing[0] == listing[1] and len(listing[0]) >= 7
    return True


def nothing_there(remote):
    assert remote.files() == []
    return True


# --- runs that wait where the test wants them to ------------------------------------------------------------------------------

@contextlib.contextmanager
def zfs_held(words):
    """Holds calls of zfs whose command line has the words, until the block ends or faults.let_go() is called."""
    real = holdfast.sh("which", "zfs").stdout.strip()
    faults.HELD.write_text("held\n")
    script = f"if [[ \"$* \" == *{words!r}* ]]; then while [ -e {faults.HELD} ]; do sleep 0.05; done; fi\nexec {real} \"$@\"\n"
    with faults.replaced("zfs", script):
        try:
            yield
        finally:
            faults.let_go()


def start_and_hold(job, words):
    run = holdfast.start(job)
    seen = {}

    def held():
        """One that goes through is there for a moment as well."""
        assert run["State"] not in holdfast.OVER, run.all()
        for pid in run.pids().values():
            with contextlib.suppress(OSError):
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words in command and "/bin/bash" in command:
                    seen.setdefault(pid, time.monotonic())
                    return time.monotonic() - seen[pid] > 0.4
        return False
    holdfast.eventually(held, what=f"the run waits at {words}")
    return run
