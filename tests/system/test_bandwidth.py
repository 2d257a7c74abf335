"""One budget of bandwidth for all runs, measured at the destination while they run."""
import os
import signal
import time

import faults
import holdfast
import pytest

BUDGET = 12 << 20
SETTINGS = holdfast.CONFIG / "holdfast.json"


def reload():
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


@pytest.fixture
def streams(remote):
    """Starts runs that stream 256 MiB each, with BUDGET for all of them."""
    SETTINGS.write_text(f'{{"maxTotalBandwidth": {BUDGET}}}\n')
    reload()
    repository = holdfast.make_repository("/srv/tests/shared", commits=1)
    with (repository / ".git/payload").open("wb") as file:
        for _ in range(16):
            file.write(os.urandom(16 << 20))

    started = []

    def start(*names, **changes):
        for name in names:
            holdfast.create_job(holdfast.flash_job(name, remote, repository, destinationPath=name, **changes))
        runs = [holdfast.start(name) for name in names]
        started.extend(runs)
        for run in runs:
            run.moves(1 << 20)
        return runs
    yield start
    for run in started:
        if run["State"] not in holdfast.OVER:
            run.cancel()
            run.wait()
    SETTINGS.unlink()
    reload()
    holdfast.sh("rm", "-r", repository)


def arrived(remote, name):
    return sum(file.stat().st_size for file in (remote.folder / name).glob("*.tar"))


def rates(remote, *names, seconds=4):
    """Bytes a second that reach the destination, of each."""
    began, before = time.monotonic(), [arrived(remote, name) for name in names]
    time.sleep(seconds)
    after, took = [arrived(remote, name) for name in names], time.monotonic() - began
    return [(b - a) / took for a, b in zip(before, after)]


def near(value, wanted, part=0.05):
    return abs(value - wanted) <= wanted * part


def test_idle_run_lends_its_share(streams, remote):
    a, b = streams("a", "b")
    time.sleep(2)
    both = rates(remote, "a", "b")
    assert near(sum(both), BUDGET) and near(both[0], BUDGET / 2, 0.1), both

    faults.kill_child(a, "tar", signal.SIGSTOP)
    time.sleep(2)
    alone = rates(remote, "a", "b")
    assert near(sum(alone), BUDGET) and alone[0] < BUDGET * 0.01, alone

    faults.kill_child(a, "tar", signal.SIGCONT)
    time.sleep(2)
    again = rates(remote, "a", "b")
    assert near(sum(again), BUDGET) and near(again[0], BUDGET / 2, 0.1), again


def test_runs_that_come_and_go(streams, remote):
    [a] = streams("a")
    time.sleep(1)
    assert near(rates(remote, "a")[0], BUDGET)
    b, c = streams("b", "c")
    time.sleep(2)
    three = rates(remote, "a", "b", "c")
    assert near(sum(three), BUDGET) and all(near(rate, BUDGET / 3, 0.15) for rate in three), three
    b.cancel()
    b.wait()
    time.sleep(2)
    two = rates(remote, "a", "c")
    assert near(sum(two), BUDGET) and near(two[0], BUDGET / 2, 0.1), two


def test_limit_of_a_job_leaves_the_rest_to_others(streams, remote):
    streams("limited", limits={"bandwidth": BUDGET // 6})
    streams("free")
    time.sleep(2)
    limited, free = rates(remote, "limited", "free")
    assert near(limited, BUDGET / 6, 0.1) and near(limited + free, BUDGET), (limited, free)


def test_budget_that_changes_while_runs_go(streams, remote):
    streams("a")
    SETTINGS.write_text(f'{{"maxTotalBandwidth": {BUDGET // 3}}}\n')
    reload()
    time.sleep(1)
    assert near(rates(remote, "a")[0], BUDGET / 3)
