"""history.py [ROWS]: how long a page of the history takes when there are a million runs, over the bus.

The rows are copies of what real runs recorded, spread over a hundred jobs. Each figure is the median of twenty calls."""
import os
import pathlib
import sqlite3
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import holdfast  # noqa: E402
from holdfast import Gio, GLib  # noqa: E402

DATABASE = holdfast.STATE / "history.db"
MINUTE = 60_000_000


def record_one():
    repository = holdfast.make_repository("/srv/bench/repository", commits=1)
    remote = holdfast.Remote("bench", "/srv/bench/store")
    holdfast.create_job(holdfast.flash_job("bench", remote, repository))
    holdfast.start("bench").completes()


def fill(rows):
    holdfast.sh("systemctl", "stop", "holdfast.service")
    now = int(time.time() * 1e6)
    database = sqlite3.connect(DATABASE, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -200000")
    [[entry]] = database.execute("SELECT entry FROM run LIMIT 1")
    indexes = [sql for [sql] in database.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")]
    database.execute("BEGIN")
    for sql in indexes:
        database.execute("DROP INDEX " + sql.split()[2])
    # In the order of the ids: a tree of a million that grows in random places would take many minutes.
    ids = sorted((os.urandom(16).hex(), i) for i in range(rows))
    database.executemany("INSERT INTO run VALUES (?, ?, ?, ?, ?)",
                         ((id, f"job-{i % 100}", "failed" if i % 1000 == 0 else "done", now - i * MINUTE // 10, entry) for id, i in ids))
    for sql in indexes:
        database.execute(sql)
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    (holdfast.CONFIG / "holdfast.json").write_text('{"historyMaxRuns": 0, "historyMaxAge": 0}\n')


def milliseconds(function):
    took = []
    for _ in range(20):
        began = time.perf_counter()
        function()
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def page(limit, offset, **filter):
    """The reply stays packed: to make it plain Python takes five times as long as all else."""
    variants = {key: GLib.Variant("t" if isinstance(value, int) else "s", value) for key, value in filter.items()}
    reply = holdfast.connection().call_sync(holdfast.NAME, holdfast.ROOT, holdfast.MANAGER, "ListRuns",
                                            GLib.Variant("(uua{sv})", (limit, offset, variants)), None,
                                            Gio.DBusCallFlags.NONE, 30_000, None)
    runs = reply.get_child_value(0).n_children()
    assert runs == limit, (limit, offset, filter, runs)


def processor_milliseconds(pid):
    times = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) * 1e3 / os.sysconf("SC_CLK_TCK")


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    record_one()
    fill(rows)
    began = time.perf_counter()
    holdfast.sh("systemctl", "start", "holdfast.service")
    size = sum(file.stat().st_size for file in holdfast.STATE.glob("history.db*")) / (1 << 20)
    print(f"{rows} runs, {size:.0f} MiB; the service starts in {(time.perf_counter() - began) * 1e3:.0f} ms")
    ago = int(time.time() * 1e6) - rows // 2 * (MINUTE // 10)
    for name, arguments, filter in (
            ("the newest 20", (20, 0), {}),
            ("the newest 100", (100, 0), {}),
            ("100 of one job", (100, 0), {"job": "job-7"}),
            ("20 failures", (20, 0), {"result": "failed"}),
            ("20 failures of one job", (20, 0), {"job": "job-0", "result": "failed"}),
            ("20 from half-way back, by time", (20, 0), {"until": ago}),
            ("20 from half-way back, by offset", (20, rows // 2), {})):
        print(f"{name:34} {milliseconds(lambda: page(*arguments, **filter)):7.2f} ms")
    pid = holdfast.unit("holdfast.service", "MainPID")["MainPID"]
    before = processor_milliseconds(pid)
    for _ in range(100):
        page(100, 0)
    print(f"of the processor, the service takes {(processor_milliseconds(pid) - before) / 100:.1f} ms for 100 runs")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    print(f"the service then holds {int(status.split('VmRSS:')[1].split()[0]) / 1024:.1f} MiB")


main()
