"""stream.py ROUNDS: 1 GiB through a run of Holdfast against `cat | rclone rcat` to the same local remote, in turn.

Both sides read the same bytes from the page cache and write to the same disk. The run is measured as its user sees it, from
StartJob to its end, with the unit, verification (the object is read back and hashed) and manifest in it; the pipe is what
people use today, with nothing after it. "stream" is the part of the run from its first to its last byte."""
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import holdfast  # noqa: E402

SIZE = 1 << 30
DATA = pathlib.Path("/srv/bench")
TICKS = os.sysconf("SC_CLK_TCK")


def set_up():
    (holdfast.CONFIG / "holdfast.json").write_text('{"maxTotalBandwidth": 0}\n')
    holdfast.sh("systemctl", "restart", "holdfast.service")
    repository = holdfast.make_repository(DATA / "repository", commits=1)
    payload = repository / ".git/payload"
    with payload.open("wb") as file:
        for _ in range(SIZE >> 24):
            file.write(os.urandom(1 << 24))
    remote = holdfast.Remote("bench", DATA / "store")
    holdfast.create_job(holdfast.flash_job("bench", remote, repository))
    return remote, payload


def watch_worker(pid):
    """(CPU seconds, peak resident bytes, of which anonymous) of the process, until it ends."""
    cpu, peak, anonymous = 0, 0, 0
    while True:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            cpu = (int(fields[11]) + int(fields[12])) / TICKS
            peak = int(status["VmHWM"].split()[0]) << 10
            anonymous = max(anonymous, int(status["RssAnon"].split()[0]) << 10)
        except (FileNotFoundError, ProcessLookupError, KeyError):
            return cpu, peak, anonymous
        time.sleep(0.02)


def holdfast_run(_remote, _payload):
    began = time.monotonic()
    run = holdfast.start("bench")
    pid = holdfast.eventually(lambda: int(holdfast.unit(run.unit, "MainPID")["MainPID"]))
    cpu, peak, anonymous = watch_worker(pid)
    last = holdfast.eventually(lambda: (now := run.all())["State"] in holdfast.OVER and now)
    seconds = time.monotonic() - began
    assert last["State"] == "completed", last
    return {"seconds": seconds, "cpu": cpu, "peak": peak, "anonymous": anonymous}


def plain_pipe(remote, payload):
    began = time.monotonic()
    subprocess.run(["bash", "-c", f"cat {payload} | rclone --config {holdfast.RCLONE_CONFIG} rcat {remote.name}:plain"], check=True)
    return time.monotonic() - began


def main():
    rounds = int(sys.argv[1])
    remote, payload = set_up()
    runs, pipes = [], []
    for number in range(rounds + 1):
        # Who comes second would find the disk busy with what the first has written: so the order changes, and each starts clean.
        first, second = (holdfast_run, plain_pipe) if number % 2 else (plain_pipe, holdfast_run)
        took = {}
        for side in (first, second):
            holdfast.sh("find", remote.folder, "-type", "f", "-delete")
            os.sync()
            took[side] = side(remote, payload)
        run, pipe = took[holdfast_run], took[plain_pipe]
        if number:  # the first of each warms the caches
            runs.append(run)
            pipes.append(pipe)
            print(f"round {number}: run {run['seconds']:.2f} s, pipe {pipe:.2f} s", flush=True)

    def spread(values, unit, digits=2):
        return f"{statistics.median(values):.{digits}f} {unit} (from {min(values):.{digits}f} to {max(values):.{digits}f})"

    mib = SIZE / (1 << 20)
    print(f"plain pipe      {spread(pipes, 's')}, {mib / statistics.median(pipes):.0f} MiB/s")
    print(f"holdfast run    {spread([r['seconds'] for r in runs], 's')}, {mib / statistics.median([r['seconds'] for r in runs]):.0f} MiB/s")
    print(f"ratio           {spread([p / r['seconds'] for p, r in zip(pipes, runs)], 'times the plain pipe')}")
    print(f"worker's CPU    {spread([r['cpu'] for r in runs], 's')}")
    print(f"worker's peak   {spread([r['peak'] / (1 << 20) for r in runs], 'MiB resident', 1)}, "
          f"of which {spread([r['anonymous'] / (1 << 20) for r in runs], 'MiB its own', 1)}")


main()
