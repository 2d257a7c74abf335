"""The fault matrix: which cells there are, how a run is brought into a phase, how each fault strikes, and what may come of it.

A cell is a source, a phase and a fault; in half of them systemd is reloaded before, so that every fault is met with and without.
What makes no sense (a producer that is killed while nothing produces) is left out by rule. A run waits in its phase: at a stand-in
for the program that does the phase's work, or, uploading, half-way through real data."""
import collections
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import signal

import engines
import faults
import holdfast
import servers
import test_plain
import test_script
import zpools

PHASES = ("preprocessing", "uploading", "verifying", "committing", "cleaning")
FAULTS = ("SIGKILL worker", "SIGKILL rclone", "SIGKILL producer", "SIGKILL daemon", "stop unit", "disk full", "remote gone", "remote hanging")
SETTINGS = {"killDelay": 1, "retryDelay": 1, "retryDelayMax": 1}
QUARTER = 256 << 10
DATA = pathlib.Path("/srv/tests/matrix")
numbers = itertools.count(1)

Cell = collections.namedtuple("Cell", "source phase fault reload")
Hold = collections.namedtuple("Hold", "reached let_go")


# --- sources ----------------------------------------------------------------------------------------------------------------

class Source:
    """What a source needs of the machine, once; and what is particular about it."""

    streams = True
    rclone_prepares = True   # whether rclone is what runs while the preparation is held
    producer = {"uploading": "tar"}

    def close(self):
        holdfast.sh("rm", "-rf", DATA)

    def preparing(self):
        """Holds the preparation at a moment when as much as possible has been acquired."""
        return rclone_waits("backend", "features")

    def processes_of_producer(self, run, phase):
        return [pid for name, pid in run.pids().items() if name == self.producer[phase]]

    def left(self):
        """What this source alone can leave behind: counts by kind."""
        return {}


class Flash(Source):
    def __init__(self):
        self.folder = holdfast.make_repository(DATA / "repository", kilobytes=1024)

    def fields(self):
        return {"preprocessType": "flash", "preprocessConfig": {"flash": {"gitPath": f"{self.folder}/.git"}}}

    def left(self):
        return {"scratch": len(list((self.folder / ".git").rglob("*.lock")))}


class Plain(Source):
    streams, producer = False, {}

    def __init__(self):
        self.folder = test_plain.make_tree(DATA / "tree", files=6, kilobytes=512)

    def fields(self):
        return {"sourcePath": str(self.folder), "layout": "versions"}


class Script(Source):
    """Its script waits while the hold is there: it is the producer, of what is then copied."""

    streams, rclone_prepares, producer = False, False, {"preprocessing": "script"}
    waits = pathlib.Path("/srv/tests/script-waits")

    def __init__(self):
        test_script.SCRIPTS.mkdir(parents=True, exist_ok=True)
        write = "for i in 1 2 3 4 5 6; do head -c 512K /dev/urandom >$HOLDFAST_OUTPUT_DIR/file-$i; done"
        self.script = test_script.write_script(f"{write}\nwhile [ -e {self.waits} ]; do sleep 0.05; done")

    def fields(self):
        return {"preprocessType": "script", "preprocessConfig": {"script": {"scriptPath": str(self.script)}}}

    @contextlib.contextmanager
    def preparing(self):
        self.waits.touch()
        try:
            yield Hold(lambda run: len(test_script.processes(run)) >= 2, self.let_go)
        finally:
            self.let_go()

    def let_go(self):
        self.waits.unlink(missing_ok=True)

    def processes_of_producer(self, run, phase):
        return [int(pid) for pid in test_script.processes(run)]


class Zfs(Source):
    rclone_prepares, producer = False, {"uploading": "zfs"}

    def __init__(self):
        self._pools = zpools.two_pools()
        self._pools.__enter__()
        self.dataset = zpools.Dataset(megabytes=3)

    def close(self):
        zpools.destroy(self.dataset.name)
        self._pools.__exit__(None, None, None)

    def fields(self):
        return {"preprocessType": "zfs", "preprocessConfig": {"zfs": {"poolName": self.dataset.name, "snapshotName": "nightly"}}}

    @contextlib.contextmanager
    def preparing(self):
        with zpools.zfs_held(" value guid "):
            yield Hold(stand_in_waits, faults.let_go)

    def left(self):
        ours = {name: holds for name, holds in self.dataset.snapshots().items() if not name.endswith("@foreign")}
        return {"snapshots": len(ours), "holds": sum(self.dataset.snapshots().values())}


class Docker(Source):
    rclone_prepares = False

    def __init__(self):
        DATA.mkdir(parents=True, exist_ok=True)
        self.engine = engines.Engine("docker")
        self.engine.set_up(DATA)
        volume = self.engine.volume()
        (self.engine.folder(volume) / "random").write_bytes(os.urandom(3 << 20))
        self.container = self.engine.run("-v", f"{volume}:/data")
        self.between = engines.GoBetween(self.engine, DATA / "engine.sock")

    def close(self):
        self.between.close()
        self.engine.tear_down()
        super().close()

    def fields(self):
        return {"preprocessType": "docker",
                "preprocessConfig": {"docker": {"engineSocket": str(self.between.path), "containerName": self.container}}}

    @contextlib.contextmanager
    def preparing(self):
        self.between.hold("/stop", "after")
        try:
            yield Hold(lambda run: self.between.held.is_set(), self.between.let_go)
        finally:
            self.between.let_go()

    def left(self):
        return {"stopped": int(not self.engine.runs(self.container))}


SOURCES = {"none": Plain, "flash": Flash, "zfs": Zfs, "script": Script, "docker": Docker}


# --- cells ------------------------------------------------------------------------------------------------------------------

def makes_sense(cell):
    source = SOURCES[cell.source]
    rclone_runs = cell.phase != "preprocessing" or source.rclone_prepares
    return {
        "SIGKILL rclone": rclone_runs,
        "SIGKILL producer": cell.phase in source.producer,
        "disk full": cell.phase in ("uploading", "committing"),
        "remote hanging": rclone_runs,
    }.get(cell.fault, True)


def is_slow(cell):
    """Only the upload is watched for a stall, which is a setting; other calls of rclone have two minutes. And rclone takes its
    time to give up a destination that is gone, which is the same for every stream and for every copy."""
    if cell.fault == "remote gone":
        return cell.source not in ("none", "flash") or cell.phase not in ("preprocessing", "committing")
    return cell.fault == "remote hanging" and cell.phase != "uploading"


def settings(cell):
    """So that nothing takes longer than it must. A busy machine is slow, so no stall is seen unless the cell needs one: rclone copies
    to a destination that is gone until it is ended."""
    return SETTINGS | ({"stallWarning": 1, "stallTimeout": 5} if cell.fault.startswith("remote ") else {})


def pairs(cell):
    return set(itertools.combinations(enumerate(cell), 2))


def thinned(cells):
    """So few that every pair of source, phase, fault and reload is still met; always the same ones."""
    cells, chosen = list(cells), []
    missing = set().union(*map(pairs, cells))
    while missing:
        best = max(cells, key=lambda cell: len(pairs(cell) & missing))
        chosen.append(best)
        missing -= pairs(best)
    return sorted(chosen, key=lambda cell: (list(SOURCES).index(cell.source), PHASES.index(cell.phase), FAULTS.index(cell.fault)))


def cell_of(source, phase, fault):
    even = (list(SOURCES).index(source) + PHASES.index(phase) + FAULTS.index(fault)) % 2 == 0
    return Cell(source, phase, fault, "reload" if even else "")


def cells(which):
    """"all", "some", or those of one source."""
    everything = [cell for cell in itertools.starmap(cell_of, itertools.product(SOURCES, PHASES, FAULTS)) if makes_sense(cell)]
    if which == "some":
        return thinned(cell for cell in everything if not is_slow(cell))
    return [cell for cell in everything if which in ("all", cell.source)]


def results(cell):
    """How the run may end. A backup once its manifest is up, whatever comes then; before, only if the fault can be survived."""
    committed = cell.phase == "cleaning"
    if cell.fault == "SIGKILL daemon":
        return {"done"}
    if cell.fault in ("SIGKILL worker", "stop unit"):
        # rclone may be through with the manifest before it is ended.
        return {"done"} if committed else {"interrupted", "done"} if cell.phase == "committing" else {"interrupted"}
    if cell.fault == "SIGKILL producer":
        return {"done"} if SOURCES[cell.source].streams else {"failed"}
    if cell.fault in ("SIGKILL rclone", "remote hanging"):
        return {"done"}
    return {"done"} if committed else {"failed"}


# --- a run in its phase -----------------------------------------------------------------------------------------------------

def stand_in_waits(run):
    return "sleep" in run.pids()


@contextlib.contextmanager
def rclone_waits(*words):
    with faults.rclone_held(*words):
        yield Hold(stand_in_waits, faults.let_go)


@contextlib.contextmanager
def half_way():
    """Real data, slowed down by the job."""
    yield Hold(lambda run: run["BytesDone"] >= QUARTER, lambda: None)


def held(source, phase, remote):
    if phase == "preprocessing":
        return source.preparing()
    if phase == "uploading":
        return half_way()
    if phase == "verifying":
        if not source.streams:
            return rclone_waits("lsjson --recursive")
        return rclone_waits("lsjson") if isinstance(remote, Served) else rclone_waits("cat --buffer-size=0")
    return rclone_waits("rcat -- ", "manifest.json") if phase == "committing" else rclone_waits("cat --count", "manifest.json")


@contextlib.contextmanager
def started(job, hold):
    """A run of the job, which is over before its destination goes, however the test ends."""
    run = holdfast.start(job)
    try:
        yield run
    finally:
        hold.let_go()
        if run["State"] not in holdfast.OVER:
            run.cancel()
            run.wait()


def job(source, cell, remote):
    """Creates the cell's job; returns its name."""
    name = f"{cell.source}-{next(numbers)}"
    document = {"name": name, "remoteName": remote.name, "destinationPath": "backups"} | source.fields()
    if cell.phase == "uploading":
        document["limits"] = {"bandwidth": "1M"}
    holdfast.create_job(document)
    return name


# --- destinations -----------------------------------------------------------------------------------------------------------

class Served(servers.Served, holdfast.Remote):
    """A remote behind a server of its own, which can go and come back, or hang."""

    def __init__(self):
        super().__init__(f"served{next(numbers)}", *servers.SERVERS["sftp"])

    def signal(self, number):
        holdfast.sh("systemctl", "kill", f"--signal={number}", self.unit)

    def goes(self):
        self.signal("KILL")
        holdfast.eventually(lambda: not servers.answers(self.port))

    def comes_back(self):
        holdfast.sh("systemctl", "reset-failed", self.unit, check=False)
        self.start()


@contextlib.contextmanager
def destination(cell):
    """The cell's remote: a folder of this machine; where it is to fill up, of its own file system; where it is to go or to hang,
    behind a server."""
    if cell.fault.startswith("remote "):
        remote = Served()
        try:
            yield remote
        finally:
            remote.close()
        return
    number = next(numbers)
    remote = holdfast.Remote(f"matrix{number}", f"/srv/tests/matrix-remote{number}")
    small = faults.mounted(remote.folder, "size=16M") if cell.fault == "disk full" else contextlib.nullcontext()
    with small:
        yield remote


# --- faults -----------------------------------------------------------------------------------------------------------------

def kill_daemon():
    before = holdfast.unit("holdfast.service", "MainPID")["MainPID"]
    os.kill(int(before), signal.SIGKILL)
    holdfast.eventually(lambda: holdfast.unit("holdfast.service", "MainPID")["MainPID"] not in (before, "0"), what="another daemon")


def fill_up(folder):
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64 << 10))


def kill_producer(run, source, cell):
    pids = source.processes_of_producer(run, cell.phase)
    assert pids, f"no producer: {run.pids()}"
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def hang(run, remote, let_go):
    """Until rclone, which waits for it, has been given up."""
    remote.signal("STOP")
    waiting = run.pids()["rclone"]
    let_go()
    holdfast.eventually(lambda: run.pids().get("rclone") != waiting, 150, "the rclone that hangs is ended")
    remote.signal("CONT")


def strike(run, source, cell, remote, let_go):
    """The fault; afterwards the run goes on, as far as it still can."""
    if cell.reload:
        faults.reload_systemd()
    {
        "SIGKILL worker": lambda: faults.kill_worker(run),
        "SIGKILL rclone": lambda: faults.kill_child(run, "rclone"),
        "SIGKILL producer": lambda: kill_producer(run, source, cell),
        "SIGKILL daemon": kill_daemon,
        "stop unit": lambda: holdfast.sh("systemctl", "stop", "--no-block", run.unit),
        "disk full": lambda: fill_up(remote.folder),
        "remote gone": lambda: remote.goes(),
        "remote hanging": lambda: hang(run, remote, let_go),
    }[cell.fault]()
    let_go()


def repair(run, cell, remote):
    """What was done to the destination is undone, once the run has met it: then all can be settled."""
    if cell.fault == "disk full":
        run.wait()
        (remote.folder / "filler").unlink()
    if cell.fault == "remote gone":
        holdfast.eventually(lambda: holdfast.unit(run.unit, "LoadState")["LoadState"] == "not-found", 150, f"{run.unit} gone")
        remote.comes_back()
        holdfast.sh("systemctl", "restart", "holdfast.service")


# --- what came of it --------------------------------------------------------------------------------------------------------

def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def is_whole(remote):
    """One backup, and its manifest is true of it."""
    [(name, manifest)] = remote.manifests().items()
    [described] = manifest["objects"]
    there = remote.folder / pathlib.Path(name).parent / described["name"]
    assert (there.stat().st_size, digest(there)) == (described["size"], described["sha256"])
    if "copy" not in manifest:
        return True
    listed = {entry["path"]: entry["size"] for entry in map(json.loads, there.read_text().splitlines())}
    folder = remote.folder / name
    assert listed == {str(f.relative_to(folder)): f.stat().st_size for f in folder.rglob("*") if f.is_file()}
    assert len(listed) == manifest["copy"]["files"] == 6 and sum(listed.values()) == manifest["copy"]["bytes"] == 3 << 20
    return True


def leftovers(source, remote):
    """How many things are left that no backup needs, by kind."""
    backups = [f.removesuffix(".manifest.json") for f in remote.files() if f.endswith(".manifest.json")]
    said = holdfast.leftovers()
    return collections.Counter(source.left()) + collections.Counter(
        objects=sum(not any(file.startswith(backup) for backup in backups) for file in remote.files()),
        children=sum(line.startswith("process ") for line in said),
        units=sum(line.startswith("unit ") for line in said),
        scratch=sum(line.startswith("/") for line in said))


Row = collections.namedtuple("Row", "cell result leftovers")
rows = []


def table():
    """What each cell came to and the number of its leftovers; "-" is one that makes no sense, "." one that was left out this time."""
    if not rows:
        return []
    met = {row.cell: f"{row.result} {row.leftovers}" for row in rows}

    def show(cell):
        return met.get(cell, "." if makes_sense(cell) else "-")
    lines = [["source", "phase", *FAULTS]]
    met_sources = [source for source in SOURCES if any(row.cell.source == source for row in rows)]
    lines += [[source, phase, *(show(cell_of(source, phase, fault)) for fault in FAULTS)] for source in met_sources for phase in PHASES]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in lines] + [
        f"{len(rows)} cells, {sum(row.leftovers for row in rows)} leftovers"]
