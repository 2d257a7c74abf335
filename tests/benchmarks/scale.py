"""scale.py [JOBS [RUNS [CLIENTS]]]: what many jobs, many runs and many clients cost, and what an idle daemon does.

JOBS (10000) are loaded; one is started again and again, until its producer's first instruction, in turn with a bare unit in the same
sandbox, which is what the machine and its systemd take of that; the daemon idles; RUNS (500) are queued while CLIENTS (50) watch, of whom
each is to be told of each end once."""
import collections
import json
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import faults  # noqa: E402
import holdfast  # noqa: E402
from holdfast import GLib, Gio  # noqa: E402

FIRST = pathlib.Path("/srv/bench/first")
BARE = pathlib.Path("/run/systemd/system/bare.service")
IDLE_SECONDS = 10


def daemon():
    return holdfast.unit("holdfast.service", "MainPID")["MainPID"]


def memory():
    status = pathlib.Path(f"/proc/{daemon()}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def switches():
    """Of all threads, voluntary or not: each is a wake-up."""
    total = 0
    for file in pathlib.Path(f"/proc/{daemon()}/task").glob("*/status"):
        total += sum(int(line.split()[1]) for line in file.read_text().splitlines() if "ctxt_switches" in line)
    return total


def idle():
    before = switches()
    time.sleep(IDLE_SECONDS)
    return switches() - before


def settings(**values):
    (holdfast.CONFIG / "holdfast.json").write_text(json.dumps(values))
    holdfast.sh("systemctl", "restart", "holdfast.service")


def many_jobs(document, count):
    """Files, as configuration management would write them."""
    holdfast.sh("systemctl", "stop", "holdfast.service")
    folder = holdfast.CONFIG / "jobs"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        name = f"many-{number}"
        (folder / f"{name}.json").write_text(json.dumps(document | {"name": name}))
    began = time.perf_counter()
    holdfast.sh("systemctl", "start", "holdfast.service")
    took = time.perf_counter() - began
    assert len(holdfast.jobs()) == count + 1
    print(f"{count} jobs: the service starts in {took * 1e3:.0f} ms and holds {memory():.1f} MiB")
    holdfast.sh("find", folder, "-name", "many-*", "-delete")
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


def bare_unit(job, program):
    """A unit with all that systemd does for a run's own, whose program is another."""
    run = holdfast.start(job)
    run.reaches(State="running")
    lines = holdfast.sh("systemctl", "cat", run.unit).stdout.splitlines()
    run.completes()
    kept = [line for line in lines if not line.startswith(("#", "ExecStart", "ExecStopPost"))]
    BARE.write_text("\n".join(kept + ["[Service]", f"ExecStart={program}", ""]))
    holdfast.sh("systemctl", "daemon-reload")


def start_bare_unit():
    """As the service asks systemd for a run's unit."""
    systemd = "org.freedesktop.systemd1"
    holdfast.connection().call_sync(systemd, "/org/freedesktop/systemd1", systemd + ".Manager", "StartUnit",
                                    GLib.Variant("(ss)", (BARE.name, "fail")), None, 0, 30000, None)
    holdfast.eventually(lambda: FIRST.exists() and FIRST.read_text().endswith("\n"), what="the bare unit's program")
    holdfast.eventually(lambda: holdfast.unit(BARE.name, "ActiveState")["ActiveState"] == "inactive", what="its end")


def run_once(job):
    holdfast.start(job).completes()


def until_first(start):
    """Milliseconds from the call of `start` until the stand-in of tar runs."""
    FIRST.unlink(missing_ok=True)
    began = time.time()
    start()
    return (float(FIRST.read_text()) - began) * 1e3


def first_byte(job, rounds=20):
    """From the call of StartJob until the producer runs."""
    with faults.replaced("tar", f'echo "$EPOCHREALTIME" >{FIRST}\nexec /usr/bin/tar "$@"\n'):
        bare_unit(job, faults.STAND_INS / "tar --version")
        both = [(until_first(start_bare_unit), until_first(lambda: run_once(job))) for _ in range(rounds)]
    bare, run = zip(*both)
    print(f"from StartJob to the producer: {statistics.median(run):.0f} ms (median of {rounds}), {min(run):.0f} to {max(run):.0f} ms; "
          f"a bare unit in the same sandbox: {statistics.median(bare):.0f} ms, {min(bare):.0f} to {max(bare):.0f} ms")


class Watcher:
    def __init__(self):
        address = Gio.dbus_address_get_for_bus_sync(Gio.BusType.SYSTEM)
        kind = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.connection = Gio.DBusConnection.new_for_address_sync(address, kind, None, None)
        self.ends = collections.Counter()
        self.connection.signal_subscribe(holdfast.NAME, holdfast.MANAGER, "RunFinished", None, None, 0, self._count)
        self.connection.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", None, None, 0, 5000, None)

    def _count(self, _connection, _sender, _path, _interface, _member, arguments):
        self.ends[arguments.unpack()[0]] += 1


def many_runs(document, count, clients):
    settings(queueTimeout="4h", maxQueuedRuns=count + 10)
    for number in range(count):
        holdfast.create_job(document | {"name": f"queued-{number}"})
    watchers = [Watcher() for _ in range(clients)]
    began = time.perf_counter()
    ids = {holdfast.start(f"queued-{number}").id for number in range(count)}
    queued = time.perf_counter() - began
    holdfast.eventually(lambda: all(sum(watcher.ends.values()) >= count for watcher in watchers), 30 + 10 * count, "every end is told")
    took = time.perf_counter() - began
    time.sleep(1)
    holdfast.deliver_signals()
    runs = [holdfast.Run(id).all() for id in ids]
    results = collections.Counter(run["Result"] for run in runs)
    print(f"{count} runs are queued in {queued:.1f} s and over after {took:.0f} s: {dict(results)}; "
          f"the service then holds {memory():.1f} MiB")
    for error, number in collections.Counter(run["Error"] for run in runs if run["Error"]).items():
        print(f"{number} of them: {error}")
    told = collections.Counter(count for watcher in watchers for count in (watcher.ends[id] for id in ids))
    lost, twice = told[0], sum(number for times, number in told.items() if times > 1)
    print(f"{clients} clients: {told[1]} ends told once, {lost} never, {twice} more than once")
    return lost == 0 and twice == 0 and set(results) == {"done"}


def main():
    jobs, runs, clients = (int(value) for value in (sys.argv[1:] + [10000, 500, 50][len(sys.argv) - 1:]))
    repository = holdfast.make_repository("/srv/bench/repository", commits=1)
    remote = holdfast.Remote("bench", "/srv/bench/store")
    document = holdfast.flash_job("bench", remote, repository)
    holdfast.create_job(document)
    many_jobs(document, jobs)
    holdfast.sh("systemctl", "restart", "holdfast.service")
    holdfast.jobs()
    time.sleep(3)
    print(f"idle for {IDLE_SECONDS} s: {idle()} wake-ups, {memory():.1f} MiB")
    first_byte("bench")
    os._exit(0 if many_runs(document, runs, clients) else 1)


main()
