"""A hostile user on the bus (fuzz_bus.py). HOLDFAST_FUZZ_SECONDS says for how long, HOLDFAST_FUZZ_SEED which one."""
import hashlib
import json
import os
import pathlib
import subprocess
import threading
import time

import faults
import holdfast
import pytest

FUZZER = pathlib.Path(__file__).with_name("fuzz_bus.py")
SECONDS = float(os.environ.get("HOLDFAST_FUZZ_SECONDS", "20"))
SEED = os.environ.get("HOLDFAST_FUZZ_SEED", "1")
DROP_IN = pathlib.Path("/run/systemd/system/holdfast.service.d/fuzz.conf")
MAY_GROW = 8 << 20

# What somebody who may do nothing gets an answer to. All else is refused to him, whatever he sends.
OPEN = {"org.holdfast1.Manager." + name for name in ("ValidateJob", "GetJob", "ListJobs", "GetRun", "ListRuns", "ListRemotes")} | {
    "org.freedesktop.DBus.Properties.Get", "org.freedesktop.DBus.Properties.GetAll", "org.freedesktop.DBus.Peer.Ping",
    "org.freedesktop.DBus.Peer.GetMachineId", "org.freedesktop.DBus.Introspectable.Introspect",
    "org.freedesktop.DBus.ObjectManager.GetManagedObjects"}


@pytest.fixture
def small_quarantine():
    """AddressSanitizer holds freed memory back, which would look like growth."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\nEnvironment=ASAN_OPTIONS=quarantine_size_mb=1\n")
    holdfast.sh("systemctl", "daemon-reload")
    holdfast.sh("systemctl", "restart", "holdfast.service")
    yield
    DROP_IN.unlink()
    holdfast.sh("systemctl", "daemon-reload")
    holdfast.sh("systemctl", "restart", "holdfast.service")


def fuzz(seed, seconds, words):
    done = holdfast.sh("/usr/bin/python3", "-B", FUZZER, seed, seconds, *words, user="bob", timeout=seconds + 120)
    return json.loads(done.stdout)


def daemon():
    return int(holdfast.unit("holdfast.service", "MainPID")["MainPID"])


def memory():
    status = pathlib.Path(f"/proc/{daemon()}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) << 10


def everything():
    """What nobody may have changed: files, jobs, runs."""
    files = {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for folder in (holdfast.CONFIG, holdfast.STATE / "queue")
             for f in folder.rglob("*") if f.is_file()}
    runs = holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 1000, 0, {})
    return files, holdfast.jobs(), sorted((run["Id"], run["State"]) for run in runs)


class Prober(threading.Thread):
    """Asks the daemon something all the time, as another client; remembers the longest wait and what failed."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.longest, self.errors = threading.Event(), 0.0, []

    def run(self):
        while not self.over.wait(0.1):
            began = time.monotonic()
            done = subprocess.run(["busctl", "--timeout=20", "get-property", "org.holdfast1", holdfast.ROOT, holdfast.MANAGER, "ActiveRuns"],
                                  capture_output=True, text=True)
            self.longest = max(self.longest, time.monotonic() - began)
            if done.returncode:
                self.errors.append(done.stderr)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_hostile_user(small_quarantine, remote, repository, job):
    holdfast.start(job).completes()
    document = json.dumps(holdfast.flash_job("of-bob", remote, repository))
    with faults.rclone_held("rcat", "--ignore-checksum"):
        run = holdfast.start(job)
        run.reaches(Phase="uploading")
        words = [job, run.id, remote.name, "of-bob", document, document.replace("flash", "script"), "org.holdfast1.Manager", "JobSchema",
                 "job", "result", "since", "until", "dryRun", "interactive", '{"enabled": false}']
        before, pid = everything(), daemon()

        fuzz(f"{SEED}-warm-up", SECONDS * 0.3, words)
        warm = memory()
        with Prober() as prober:
            report = fuzz(SEED, SECONDS * 0.7, words)
        grown = memory() - warm

        assert daemon() == pid, "the daemon has died"
        assert not prober.errors and prober.longest < 10, (prober.errors, prober.longest)
        assert everything() == before
        assert run["State"] == "running"
    run.completes()
    outcomes = report["outcomes"]
    assert sum(sum(outcome.values()) for outcome in outcomes.values()) > 200, report
    assert not [name for name, outcome in outcomes.items() if "no reply" in outcome], report
    assert not [name for name, outcome in outcomes.items() if "reply" in outcome and name not in OPEN], report
    assert grown < MAY_GROW, f"{warm >> 10} KiB when warm, {grown >> 10} KiB more in the end"
    print(json.dumps(report), warm, grown, prober.longest)
