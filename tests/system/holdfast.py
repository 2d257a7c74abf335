"""A small client of Holdfast for the tests: the bus, jobs and runs, and all that a run may leave behind."""
import glob
import json
import os
import pathlib
import subprocess
import time

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NAME = "org.holdfast1"
ROOT = "/org/holdfast1"
MANAGER, JOB, RUN = NAME + ".Manager", NAME + ".Job", NAME + ".Run"
OVER = ("completed", "failed", "cancelled")

STATE = pathlib.Path("/var/lib/holdfast")
RUNTIME = pathlib.Path("/run/holdfast")
CONFIG = pathlib.Path("/etc/holdfast")
RCLONE_CONFIG = CONFIG / "rclone.conf"


# --- the machine --------------------------------------------------------------------------------------------------------

def sh(*argv, user=None, check=True, timeout=60, **options):
    """Runs a program to its end; as `user` if one is named. Returns the CompletedProcess, with text."""
    command = ["runuser", "-u", user, "--", *argv] if user else list(argv)
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=timeout, **options)
    if check and done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def eventually(condition, timeout=20, what=None):
    """Waits until `condition()` is true and returns what it gave. Signals of the bus are delivered meanwhile."""
    end = time.monotonic() + timeout
    while True:
        deliver_signals()
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.05)


def unit(name, *properties):
    """Properties of a unit, as strings by name."""
    lines = sh("systemctl", "show", name, *(f"--property={p}" for p in properties)).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def journal(*arguments):
    return sh("journalctl", "--no-pager", "--output=cat", *arguments).stdout


# --- the bus --------------------------------------------------------------------------------------------------------------

class BusError(Exception):
    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or "no reply"
        self.message = error.message.removeprefix(f"GDBus.Error:{self.name}: ")
        super().__init__(f"{self.name}: {self.message}")


_connection = None


def connection():
    global _connection
    if _connection is None or _connection.is_closed():
        # Not bus_get_sync(), which gives the closed one again after the bus was restarted.
        address = Gio.dbus_address_get_for_bus_sync(Gio.BusType.SYSTEM)
        kind = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        _connection = Gio.DBusConnection.new_for_address_sync(address, kind, None, None)
        _connection.set_exit_on_close(False)
    return _connection


def call(path, interface, method, signature="()", *arguments, timeout=30, flags=Gio.DBusCallFlags.NONE):
    """Calls as root. Returns the reply as plain Python: the value if there is one, else a tuple. Raises BusError."""
    try:
        reply = connection().call_sync(NAME, path, interface, method, GLib.Variant(signature, arguments), None, flags,
                                       timeout * 1000, None).unpack()
    except GLib.Error as error:
        raise BusError(error) from None
    return reply[0] if len(reply) == 1 else reply


def call_as(user, path, interface, method, *arguments):
    """Calls as `user` with gdbus; arguments are in GVariant's text form. Returns (error name or None, output)."""
    done = sh("gdbus", "call", "--system", "--dest", NAME, "--object-path", path, "--method", f"{interface}.{method}",
              *arguments, user=user, check=False)
    if done.returncode == 0:
        return None, done.stdout.strip()
    error = done.stderr.strip()
    return error.partition("GDBus.Error:")[2].partition(": ")[0] or error, error


def properties(path, interface):
    return call(path, "org.freedesktop.DBus.Properties", "GetAll", "(s)", interface)


class Signals:
    """Records the signals of Holdfast while it is in use: (path, interface, member, arguments)."""

    def __enter__(self):
        self.seen = []
        self._id = connection().signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, self._record)
        # The daemon of the bus has the match once it has answered whatever came after it.
        connection().call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", None, None, 0, 5000, None)
        return self

    def _record(self, _connection, _sender, path, interface, member, arguments):
        self.seen.append((path, interface, member, arguments.unpack()))

    def named(self, member):
        deliver_signals()
        return [signal for signal in self.seen if signal[2] == member]

    def __exit__(self, *_):
        connection().signal_unsubscribe(self._id)


def deliver_signals():
    while GLib.MainContext.default().iteration(False):
        pass


# --- jobs and runs ----------------------------------------------------------------------------------------------------------

def create_job(document):
    """Creates a job from a dictionary; returns its object path."""
    return call(ROOT, MANAGER, "CreateJob", "(sa{sv})", json.dumps(document), {})


def jobs():
    """Object paths of jobs by name."""
    return dict(call(ROOT, MANAGER, "ListJobs", "(a{sv})", {}))


def remove_job(name):
    call(jobs()[name], JOB, "Remove", "(a{sv})", {})


def start(job):
    """Starts a job; returns the Run."""
    return Run(*call(ROOT, MANAGER, "StartJob", "(sa{sv})", job, {}))


class Run:
    def __init__(self, id, path=None):
        self.id = id
        self.path = path or f"{ROOT}/run/{id}"
        self.unit = f"holdfast-run-{id}.service"

    def __getitem__(self, name):
        return self.all()[name]

    def all(self):
        """The run's properties, live or from the history."""
        return call(ROOT, MANAGER, "GetRun", "(sa{sv})", self.id, {})

    def cancel(self):
        call(self.path, RUN, "Cancel", "(a{sv})", {})

    def reaches(self, timeout=30, **wanted):
        """Waits until the properties have the values; a run that is over otherwise fails at once. Returns all of them."""
        def there():
            now = self.all()
            if all(now[name] == value for name, value in wanted.items()):
                return now
            assert now["State"] not in OVER, f"over before {wanted}: {now}"
            return None
        return eventually(there, timeout, f"{wanted} of run {self.id}")

    def moves(self, bytes=1, timeout=30):
        """Waits until so many bytes are done."""
        return eventually(lambda: self["BytesDone"] >= bytes, timeout, f"{bytes} bytes done of run {self.id}")

    def wait(self, timeout=60):
        """Waits until the run is over and its unit gone. Returns all properties."""
        last = eventually(lambda: (now := self.all())["State"] in OVER and now, timeout, f"the end of run {self.id}")
        eventually(lambda: unit(self.unit, "LoadState")["LoadState"] == "not-found", 10, f"{self.unit} gone")
        return last

    def completes(self, timeout=60):
        """As wait(), of a run that must succeed and have nothing to complain of."""
        last = self.wait(timeout)
        assert (last["State"], last["Result"], last["Error"]) == ("completed", "done", ""), last
        return last

    def pids(self):
        """Processes in the unit's cgroup, by program name."""
        group = unit(self.unit, "ControlGroup")["ControlGroup"]
        found = {}
        for file in glob.glob(f"/sys/fs/cgroup/systemd{group}/cgroup.procs") + glob.glob(f"/sys/fs/cgroup{group}/cgroup.procs"):
            for pid in pathlib.Path(file).read_text().split():
                try:
                    found[pathlib.Path(f"/proc/{pid}/comm").read_text().strip()] = int(pid)
                except (FileNotFoundError, ProcessLookupError):
                    pass
        return found


def run_to_the_end(job):
    """For those who need the run itself, too, beside its last properties."""
    run = start(job)
    return run, run.completes()


# --- what a backup leaves, and what it must not --------------------------------------------------------------------------------

class Remote:
    """An rclone alias remote that is a folder of this machine."""

    def __init__(self, name, folder):
        self.name, self.folder = name, pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        with RCLONE_CONFIG.open("a") as file:
            file.write(f"[{name}]\ntype = alias\nremote = {self.folder}\n")
        RCLONE_CONFIG.chmod(0o600)

    def files(self):
        """Paths of all files, below the remote's root."""
        return sorted(str(f.relative_to(self.folder)) for f in self.folder.rglob("*") if f.is_file())

    def objects(self):
        return [f for f in self.files() if not f.endswith(".manifest.json")]

    def manifests(self):
        """Manifests by the name of the object that they are of."""
        return {f.removesuffix(".manifest.json"): json.loads((self.folder / f).read_text())
                for f in self.files() if f.endswith(".manifest.json")}


def git(repository, *arguments, **options):
    """git in a work tree, whoever owns it."""
    return sh("git", "-c", "safe.directory=*", "-C", repository, *arguments, **options).stdout.strip()


def make_repository(folder, commits=3, kilobytes=64):
    """A repository with `commits` commits, each of `kilobytes` that do not compress. Returns its path."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=master")
    for number in range(commits):
        (folder / f"file-{number}").write_bytes(os.urandom(kilobytes * 1024))
        (folder / "log").open("a").write(f"commit {number}\n")
        git(folder, "add", "--all")
        git(folder, "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", f"commit {number}")
    return folder


def flash_job(name, remote, repository, **changes):
    """The document of a job that backs up a git repository; `changes` replace its top-level fields."""
    return {
        "name": name, "remoteName": remote.name, "destinationPath": "backups", "preprocessType": "flash",
        "preprocessConfig": {"flash": {"gitPath": f"{repository}/.git"}},
    } | changes


def leftovers(*repositories):
    """Everything that a run may have left behind on this machine, as sentences; empty if all is clean."""
    found = [f"{path} is left" for folder in ("ledger", "queue", "cache") for path in (STATE / folder).glob("*")]
    found += [f"{path} is left" for path in (RUNTIME / "probes").glob("*")]
    found += [f"{lock} is left" for repository in repositories for lock in pathlib.Path(repository, ".git").rglob("*.lock")]
    found += [f"unit {line.split()[0]} is left" for line in
              sh("systemctl", "list-units", "--all", "--plain", "--no-legend", "holdfast-*.service").stdout.splitlines()]
    for tasks in pathlib.Path("/sys/fs/cgroup").glob("**/holdfast-runs.slice/**/cgroup.procs"):
        found += [f"process {pid} is left in {tasks.parent}" for pid in tasks.read_text().split()]
    return found
